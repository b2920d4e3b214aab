"""Instances that arrive, by whatever way: checked, on disk, in the database."""
