"""Plausibility of contours: measurements of each contour, and rules that flag it."""
