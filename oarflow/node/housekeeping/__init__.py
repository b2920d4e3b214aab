"""Deletes what has served its time, never before it was delivered; backs the state up."""
