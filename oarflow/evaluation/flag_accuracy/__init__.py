"""What the plausibility rules flag: good contours, simulated errors, real failures."""
