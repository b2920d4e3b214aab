"""The refusals of networks that cannot be imported or verified."""

from __future__ import annotations


class NotImportedError(ValueError):
    """A network cannot be imported. The message says why, and what to do."""


class NotVerifiedError(ValueError):
    """A network could not be compared with another program. The message says why."""
