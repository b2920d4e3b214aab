"""When a series is complete, and what follows."""
