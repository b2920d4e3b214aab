"""Operators of the MONAI Deploy application: each takes from ports, calls one function, hands on."""
