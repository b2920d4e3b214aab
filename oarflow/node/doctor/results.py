"""What a check of `doctor` finds, and how it is marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from oarflow.node.settings import NodeSettings


class CheckStatus(StrEnum):
    """How a check came out."""

    GOOD = "ok"
    DOUBTFUL = "doubtful"
    BAD = "BAD"


@dataclass(frozen=True)
class CheckResult:
    """What a check found. remedy: what to do, empty where nothing is to be done."""

    subject: str
    status: CheckStatus
    text: str
    remedy: str = ""


Check = Callable[[NodeSettings], Iterator[CheckResult]]


def good(subject: str, text: str) -> CheckResult:
    """Nothing to do."""
    return CheckResult(subject, CheckStatus.GOOD, text)


def bad(subject: str, text: str, remedy: str) -> CheckResult:
    """It will not work."""
    return CheckResult(subject, CheckStatus.BAD, text, remedy)
