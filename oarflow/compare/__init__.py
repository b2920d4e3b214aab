"""Two contours of one organ held against each other: overlap, surfaces, what a person changed."""
