"""What the application is worth: contours against references, its time, its pictures."""
