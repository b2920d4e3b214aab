"""What a check of `doctor` finds, and how it is marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from oarflow.node.settings import Settings


class Mark(StrEnum):
    """How a check came out."""

    GOOD = "ok"
    DOUBTFUL = "doubtful"
    BAD = "BAD"


@dataclass(frozen=True)
class Finding:
    """What a check found. remedy: what to do, empty where nothing is to be done."""

    subject: str
    mark: Mark
    text: str
    remedy: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def good(subject: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(subject, Mark.GOOD, text)


def bad(subject: str, text: str, remedy: str) -> Finding:
    """It will not work."""
    return Finding(subject, Mark.BAD, text, remedy)
