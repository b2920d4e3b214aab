"""Contours against two experts, as `oarflow evaluate experts` measures them."""
