"""The listener's answers to C-STORE (PS3.4, B.2.3; PS3.7, annex C)."""

from __future__ import annotations

from enum import IntEnum


class StoreStatus(IntEnum):
    """Statuses of C-STORE that the node uses."""

    SUCCESS = 0x0000
    """The instance is on disk and in the database."""
    OUT_OF_RESOURCES = 0xA700
    """No disk space, or the database does not answer: the sender may send again later."""
    DOES_NOT_MATCH = 0xA900
    """The data set does not match the request."""
    CANNOT_UNDERSTAND = 0xC000
    """The data set is malformed, cut short, or too large once inflated."""


class NotStored(Exception):
    """The instance is refused. comment: for the sender, at most 64 characters, no patient data."""

    def __init__(self, status: StoreStatus, comment: str) -> None:
        self.status = status
        self.comment = comment[:64]
        super().__init__(comment)
