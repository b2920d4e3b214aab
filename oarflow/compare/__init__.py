"""Comparison of two contours of one organ: overlap, surface distances, a person's edits."""
