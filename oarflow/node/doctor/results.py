"""Findings of `doctor`'s checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from oarflow.node.settings import NodeSettings


class CheckStatus(StrEnum):
    """The severity of a finding."""

    GOOD = "ok"
    DOUBTFUL = "doubtful"
    BAD = "BAD"


@dataclass(frozen=True)
class CheckResult:
    """A finding. remedy: what to do; empty if nothing."""

    subject: str
    status: CheckStatus
    text: str
    remedy: str = ""


Check = Callable[[NodeSettings], Iterator[CheckResult]]


def good(subject: str, text: str) -> CheckResult:
    """A finding without a problem."""
    return CheckResult(subject, CheckStatus.GOOD, text)


def bad(subject: str, text: str, remedy: str) -> CheckResult:
    """A finding of a problem that keeps the node from working."""
    return CheckResult(subject, CheckStatus.BAD, text, remedy)
