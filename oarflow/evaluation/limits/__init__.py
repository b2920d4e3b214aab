"""Where the limits of the plausibility rules and of the input gate come from."""
