"""Losses, optimisers, learning rates and the mean of the weights."""
