"""Checks received instances, and stores them on disk and in the database."""
