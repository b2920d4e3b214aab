"""Operators of the application: each takes from ports, calls one function, hands on."""
