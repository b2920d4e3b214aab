"""Labels that no one drew: derived from CTs by rules, each stated where it is carried out."""
