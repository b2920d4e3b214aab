"""docs/flags.md, from the table of flags."""

from __future__ import annotations

from collections.abc import Callable

from oarflow.flags.codes import FlagCode, Scope
from oarflow.flags.definition import Definition
from oarflow.flags.flag import Flag
from oarflow.flags.table import FLAGS

_HEAD = """\
# Flags

Made by `oarflow codes --flags --markdown > docs/flags.md` from the program's own table;
`oarflow codes --flags` prints it.

A flag says what speaks against a contour or a study. In `result.json` it has a `code`, a `scope`
(`organ` or `study`), a `message` and `values`, which hold all the figures with their units in the
names. The messages below are filled with an example's figures. Most limits were calibrated on
training patients: "usually" is what nearly all good contours show
([results/plausibility.md](results/plausibility.md)). A flagged contour can be right, and one
without a flag can be wrong.

Two kinds of network work on a CT: the **localizer** looks at all of it and finds where each organ
is; then the **network of each organ** contours it in a patch of the CT around that place. Sides and
directions are the patient's: superior is toward the head, anterior toward the front.
"""

_STUDY = """\
## The whole study

Under `study_flags`, once. They make no organ `suspicious`, and concern all of them: they stand in
the RTSTRUCT (Structure Set Description, and in short in each ROI Description), on the first line of
the reports and above the table at the terminal. With `strict: true` the exit status is 4, and a
node holds the study for a person.
"""

_SUSPICIOUS = """\
## An organ that is contoured, and in doubt

Each makes the organ `suspicious`. Look at the organ in all three planes first.
"""

_CUT = """\
## An organ that the field of view cuts

By itself, this flag makes the organ `truncated`.
"""

_UNCONTOURED = """\
## An organ that is not contoured

Why the organ is `failed` or `absent`. An organ that the localizer does not see is `absent` without
a flag; one for which no network is installed is `no_model`.
"""


def flags_page() -> str:
    """docs/flags.md."""
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
