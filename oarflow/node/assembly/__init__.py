"""How the parts of the node are put together, started, watched and stopped."""
