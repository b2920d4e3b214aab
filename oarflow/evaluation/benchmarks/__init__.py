"""Seconds, memory and accuracy, beside other programs."""
