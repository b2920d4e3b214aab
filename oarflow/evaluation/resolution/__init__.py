"""Contours of a fine CT against those of coarse CTs made from it."""
