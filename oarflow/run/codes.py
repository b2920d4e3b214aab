"""The page of reason codes, from the table of codes."""

from __future__ import annotations

from oarflow.errors import ExitStatus
from oarflow.reason_codes import REASONS, Reason


def page() -> str:
    """docs/reference/reason-codes.md."""
    refused = {code: r for code, r in REASONS.items() if r.status is ExitStatus.REFUSED}
    others = {code: r for code, r in REASONS.items() if r.status is not ExitStatus.REFUSED}
    return (
        "# Reason codes\n\n"
        "Made by `oarflow codes --markdown > docs/reference/reason-codes.md`. `oarflow codes`\n"
        "prints the same table, `oarflow segment --help` the exit statuses.\n\n"
        "## Why an input is refused\n\n"
        "`result.json` has the code under `refusal`. If several codes apply, the first of this\n"
        "table is the refusal, and `also` lists the others. No `.dcm` is written.\n\n"
        f"{_table(refused)}\n"
        "## Why a run does not start, or stops\n\n"
        "Standard error has the code (`oarflow: CODE: ...`); nothing is written, not even\n"
        "`result.json`.\n\n"
        f"{_table(others)}\n"
        "Status 1 means that the program failed: `result.json` has the reason under `fault`.\n"
        "Status 4 occurs only with `strict: true`, for a run that wrote its RTSTRUCT.\n"
    )


def _table(rows: dict[str, Reason]) -> str:
    lines = ["| code | exit status | what it means | what to do |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{code}` | {row.status.value} | {row.meaning} | {row.remedy} |"
        for code, row in rows.items()
    ]
    return "\n".join(lines) + "\n"
