"""The refusal of a network that cannot be imported."""

from __future__ import annotations


class NotImportedError(ValueError):
    """A network cannot be imported. The message says why, and what to do."""
