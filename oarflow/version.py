"""The versions of the program and of its networks. No other file defines them."""

__version__ = "0.1.0"

NETWORKS = "1.2"
"""The version of the newest network in models/. Each card has its own network's version."""

BOTH = f"OARflow {__version__}, networks {NETWORKS}"
"""Both versions, as shown to people."""
