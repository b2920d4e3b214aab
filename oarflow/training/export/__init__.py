"""Trained networks into the models folder, with their cards."""
