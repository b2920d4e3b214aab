"""Contours of one case against their reference: figures, and which organs count."""
