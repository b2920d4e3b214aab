"""The versions of the program and of the networks that come with it: their only source."""

__version__ = "0.1.0"

NETWORKS = "1.1"
"""Of the networks in models/: that of the newest card. Each card has its network's own version."""

BOTH = f"OARflow {__version__}, networks {NETWORKS}"
"""As people are shown it."""
