"""How well a second network's contours reveal the failures of the first: cases, figures, page."""
