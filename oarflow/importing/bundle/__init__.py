"""MONAI bundles as OARflow networks. Their configuration is interpreted and never executed."""
