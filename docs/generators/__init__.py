"""Makers of the reference pages that the program knows best, one module a page."""

COMMAND = "make docs-pages"
MADE = f"<!-- Made by `{COMMAND}`. Do not edit. -->\n"
