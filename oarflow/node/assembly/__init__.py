"""Assembles, starts, watches and stops the parts of the node."""
