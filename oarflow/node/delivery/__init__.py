"""Delivers finished jobs to their destinations, and raises alarms."""
