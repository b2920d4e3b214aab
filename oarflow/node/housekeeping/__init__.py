"""Deletes old files of delivered and ended jobs, and backs up the state."""
