"""The page of flags."""

from __future__ import annotations

from collections.abc import Callable

from docs.generators import MADE
from oarflow.flags.codes import FlagCode, Scope
from oarflow.flags.definition import Definition
from oarflow.flags.flag import Flag
from oarflow.flags.table import FLAGS

HEAD = f"""# Flags

{MADE}
`oarflow codes --flags` prints the same tables. [How flags work](../explanation/flags.md) explains
limits and evidence.

A flag in [result.json](result.md) has a `code`, a `scope` (`organ` or `study`), a `message` and
`values`. The messages below are filled with example figures. "Usual" is what nearly all good
contours of training patients show. Directions are the patient's: superior is toward the head,
anterior toward the front.
"""

STUDY = """## Flags of the whole study

They are listed once, under `study_flags`. They make no organ `suspicious`, because they concern all
organs. With `strict: true` the exit status is 4.
"""

SUSPICIOUS = """## Flags of a doubtful contour

Each makes the organ `suspicious`. First look at the organ in all three planes.
"""

CUT = """## Flag of an organ cut by the field of view

Without another flag, the organ is `truncated`.
"""

UNCONTOURED = """## Flags of an organ without a contour

They give the reason why an organ is `failed` or `absent`. An organ that the localizer does not find
is `absent` without a flag. An organ without a network is `no_model`.
"""


def pages() -> dict[str, str]:
    """Text of the page by its path below docs/reference."""
    sections: tuple[tuple[str, Callable[[Definition], bool]], ...] = (
        (STUDY, lambda row: row.scope is Scope.STUDY),
        (SUSPICIOUS, lambda row: row.statuses == ("suspicious",)),
        (CUT, lambda row: "truncated" in row.statuses),
        (UNCONTOURED, lambda row: bool({"failed", "absent"} & set(row.statuses))),
    )
    parts = [HEAD]
    for head, belongs in sections:
        rows = {code: row for code, row in FLAGS.items() if belongs(row)}
        parts.append(f"{head}\n{table(rows)}")
    return {"flags.md": "\n".join(parts)}


def table(rows: dict[FlagCode, Definition]) -> str:
    """Flags with an example's message, meaning, what to check, and the names of the values."""
    lines = ["| code | message | meaning | check | values |", "| --- | --- | --- | --- | --- |"]
    for code, row in rows.items():
        message = Flag.of(code, **row.example).message
        names = ", ".join(f"`{name}`" for name in row.example) or "none"
        lines.append(f"| `{code}` | {message} | {row.meaning} | {row.check} | {names} |")
    return "\n".join(lines) + "\n"
