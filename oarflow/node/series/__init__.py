"""Decides when a series is complete."""
