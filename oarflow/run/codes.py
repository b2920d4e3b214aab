"""docs/reason-codes.md, from the table of codes."""

from __future__ import annotations

from oarflow.errors import ExitStatus
from oarflow.reason_codes import REASONS, Reason


def page() -> str:
    """docs/reason-codes.md."""
    refused = {code: r for code, r in REASONS.items() if r.status is ExitStatus.REFUSED}
    others = {code: r for code, r in REASONS.items() if r.status is not ExitStatus.REFUSED}
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


def _table(rows: dict[str, Reason]) -> str:
    lines = ["| code | exit status | what it means | what to do |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{code}` | {row.status.value} | {row.meaning} | {row.remedy} |"
        for code, row in rows.items()
    ]
    return "\n".join(lines) + "\n"
