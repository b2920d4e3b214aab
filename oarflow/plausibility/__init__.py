"""After the networks: facts of each contour, and rules that speak against it."""
