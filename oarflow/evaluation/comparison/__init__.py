"""Two sources of contours: folders compared, methods ranked, observers against each other."""
