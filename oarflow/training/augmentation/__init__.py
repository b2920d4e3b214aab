"""How samples are varied: a clinic's CTs, deformation, mixup."""
