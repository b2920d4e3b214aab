"""What the table of flags holds for each code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oarflow.flags.codes import Scope

Value = str | int | float | Sequence[str] | Sequence[float]
"""One figure of a flag, as JSON holds it."""


@dataclass(frozen=True)
class Definition:
    """One row of the table.

    statuses: what an organ with this flag can be; none for flags of a study. message, short and
    figure are templates over the flag's values: one sentence; a clause for a planning system's
    narrow column; the one figure that matters, empty where there is none. meaning and check: for
    the page that the physicist reads. example: a value for every name that a flag of this code
    holds; units stand in the names.
    """

    scope: Scope
    statuses: tuple[str, ...]
    message: str
    short: str
    figure: str
    meaning: str
    check: str
    example: Mapping[str, Value]


def of_organ(
    statuses: tuple[str, ...],
    message: str,
    short: str,
    figure: str,
    *,
    meaning: str,
    check: str,
    **example: Value,
) -> Definition:
    """A row about one organ."""
    return Definition(Scope.ORGAN, statuses, message, short, figure, meaning, check, example)


def of_study(
    message: str, short: str, figure: str, *, meaning: str, check: str, **example: Value
) -> Definition:
    """A row about the whole study."""
    return Definition(Scope.STUDY, (), message, short, figure, meaning, check, example)
