"""Every code that a run can end with, in one table: printed, and published in docs/."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oarflow.configuration_codes import CONFIGURATION
from oarflow.errors import REASONS, ExitStatus, Reason

STOPPED = {"TIME_LIMIT": ExitStatus.TERMINATED}
"""Codes of the configuration that end otherwise than as usage."""


@dataclass(frozen=True)
class Entry:
    """One row: the code, the exit status that it ends a run with, and its reason."""

    code: str
    status: ExitStatus
    reason: Reason


def entries() -> Iterator[Entry]:
    """Refusals first, most fundamental first; then what is wrong with the configuration."""
    for code, reason in REASONS.items():
        yield Entry(str(code), ExitStatus.REFUSED, reason)
    for name, reason in CONFIGURATION.items():
        yield Entry(name, STOPPED.get(name, ExitStatus.USAGE), reason)


def page() -> str:
    """docs/reason-codes.md."""
    refused = [entry for entry in entries() if entry.status is ExitStatus.REFUSED]
    others = [entry for entry in entries() if entry.status is not ExitStatus.REFUSED]
    return (
        "# Reason codes\n\n"
        "Made by `oarflow codes --markdown > docs/reason-codes.md` from the program's own table;\n"
        "`oarflow codes` prints the same. Exit statuses stand in `oarflow segment --help`.\n\n"
        "## Why an input is refused\n\n"
        "`result.json` has the code under `refusal`; of several that hold, the first of this\n"
        "table is the refusal, the others stand under `also`. No `.dcm` is written.\n\n"
        f"{_table(refused)}\n"
        "## Why a run does not begin, or is stopped\n\n"
        "Standard error has the code (`oarflow: CODE: ...`); nothing is written, not even\n"
        "`result.json`.\n\n"
        f"{_table(others)}\n"
        "Status 1 is a fault of the program: `result.json` tells it under `fault`. Status 4 comes\n"
        "with `strict: true` alone, of a run that did write its RTSTRUCT.\n"
    )


def _table(rows: list[Entry]) -> str:
    lines = ["| code | exit status | what it means | what to do |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{row.code}` | {row.status.value} | {row.reason.meaning} | {row.reason.remedy} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
