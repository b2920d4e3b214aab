"""Margins against formulas, beside other programs, and what they cost."""
