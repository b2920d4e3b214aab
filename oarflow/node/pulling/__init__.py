"""Fetches studies from a PACS and stores them as if a sender had sent them."""
