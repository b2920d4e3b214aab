"""Contours a folder of studies without a network."""
