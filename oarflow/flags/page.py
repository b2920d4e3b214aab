"""The page of flags, from the table of flags."""

from __future__ import annotations

from collections.abc import Callable

from oarflow.flags.codes import FlagCode, Scope
from oarflow.flags.definition import Definition
from oarflow.flags.flag import Flag
from oarflow.flags.table import FLAGS

_HEAD = """\
# Flags

Made by `oarflow codes --flags --markdown > docs/reference/flags.md`. `oarflow codes --flags` prints
the same table.

A flag is a reason to doubt a contour or a study. In `result.json` it has a `code`, a `scope`
(`organ` or `study`), a `message` and `values`: all figures, with their units in the names. The
messages below contain the figures of an example. Most limits were calibrated on training patients:
"usually" means nearly all good contours ([figures](../results/plausibility.md)). A flagged contour
can be right, and a contour without a flag can be wrong.

Two kinds of network read a CT: the **localizer** reads all of it and finds each organ; then the
**network of each organ** contours it in a patch of the CT around that place. Sides and directions
are the patient's: superior is toward the head, anterior toward the front.
"""

_STUDY = """\
## The whole study

These flags are under `study_flags`. They make no organ `suspicious`, but concern all of them. They
appear in the RTSTRUCT (Structure Set Description and, shorter, each ROI Description), in the first
line of the reports and above the table at the terminal. With `strict: true` the exit status is 4,
and a node holds the study for a person.
"""

_SUSPICIOUS = """\
## A doubtful contour

Each of these flags makes the organ `suspicious`. First look at the organ in all three planes.
"""

_CUT = """\
## An organ that the field of view cuts

Without other flags, the organ is `truncated`.
"""

_UNCONTOURED = """\
## An organ that is not contoured

The reason why the organ is `failed` or `absent`. An organ that the localizer does not see is
`absent` without a flag. An organ without an installed network is `no_model`.
"""


def flags_page() -> str:
    """docs/reference/flags.md."""
    sections: tuple[tuple[str, Callable[[Definition], bool]], ...] = (
        (_STUDY, lambda row: row.scope is Scope.STUDY),
        (_SUSPICIOUS, lambda row: row.statuses == ("suspicious",)),
        (_CUT, lambda row: "truncated" in row.statuses),
        (_UNCONTOURED, lambda row: bool({"failed", "absent"} & set(row.statuses))),
    )
    parts = [_HEAD]
    for head, belongs in sections:
        rows = {code: row for code, row in FLAGS.items() if belongs(row)}
        parts.append(f"{head}\n{_table(rows)}")
    return "\n".join(parts)


def _table(rows: dict[FlagCode, Definition]) -> str:
    lines = ["| code | message | meaning | check | values |", "| --- | --- | --- | --- | --- |"]
    for code, row in rows.items():
        message = Flag.of(code, **row.example).message
        values = ", ".join(f"`{name}`" for name in row.example) or "none"
        lines.append(f"| `{code}` | {message} | {row.meaning} | {row.check} | {values} |")
    return "\n".join(lines) + "\n"
