"""Reads the application's templates, and keeps the last set without a fault."""
