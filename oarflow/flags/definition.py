"""The definition of a flag: a row of the table of flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oarflow.flags.codes import Scope

Value = str | int | float | Sequence[str] | Sequence[float]
"""One figure of a flag, as JSON holds it."""


@dataclass(frozen=True)
class Definition:
    """One row of the table.

    statuses: possible statuses of an organ with this flag; none for flags of a study. message,
    short and figure are templates for the flag's values: a sentence; a clause for a planning
    system's narrow column; the figure that matters most, empty if there is none. meaning and
    check: for the reference page. example: a value for every name of the flag's values; the names
    contain the units.
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
