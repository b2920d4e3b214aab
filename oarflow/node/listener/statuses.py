"""What the listener answers to C-STORE (PS3.4 annex B.2.3, PS3.7 annex C)."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Statuses of C-STORE that the node uses."""

    SUCCESS = 0x0000
    OUT_OF_RESOURCES = 0xA700
    DOES_NOT_MATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


MEANINGS: dict[Status, str] = {
    Status.SUCCESS: "the instance is on disk and in the database",
    Status.OUT_OF_RESOURCES: "no room, or the database does not answer: send it again later",
    Status.DOES_NOT_MATCH: "the data set is not the instance that the request names",
    Status.CANNOT_UNDERSTAND: "the data set is malformed, cut short, or a bomb",
}


class NotStored(Exception):
    """The instance is not taken. comment: for the sender, at most 64 characters, no patient data.

    transient: the same instance may be taken later.
    """

    def __init__(self, status: Status, comment: str) -> None:
        self.status = status
        self.comment = comment[:64]
        super().__init__(comment)
