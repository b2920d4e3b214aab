"""A clinic's own patients against its own limits, and the record of it."""
