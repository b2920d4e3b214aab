"""Organs without a network: rules that contour them from the CT's own voxels."""
