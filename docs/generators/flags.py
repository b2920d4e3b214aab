"""The page of flags."""

from __future__ import annotations

from collections.abc import Callable

from docs.generators import MADE
from oarflow.flags.codes import FlagCode, Scope
from oarflow.flags.definition import Definition
from oarflow.flags.flag import Flag
from oarflow.flags.table import FLAGS
from oarflow.tables import markdown_table

HEAD = f"""# Flags

{MADE}
`oarflow codes --flags` prints the same tables. [How flags work](../explanation/flags.md) explains
limits and evidence.

A flag is a warning about one contour or about the whole study. In `result.json` it has a `code`, a
`scope` (`organ` or `study`), a `message`, and `values`: the figures, each with its unit in its name
(`volume_cc`). The messages below are filled with example figures. Most limits come from training
patients: "usually at most 45 cc" means that nearly all good contours are no larger
([figures](../results/plausibility.md)). A flagged contour can be right, and a contour without a
flag can be wrong.

Two kinds of neural network are used. The **localization network** (not the CT scout) finds each
organ on the whole CT. The organ's own network then contours it in a part of the CT around that
position. Directions are the patient's: superior is toward the head, anterior toward the front.

| status | meaning |
| --- | --- |
| `segmented` | contoured, no flag of its own |
| `suspicious` | contoured; a flag doubts the contour |
| `truncated` | contoured, and cut by the CT's field of view |
| `failed` | not contoured, because of an error |
| `absent` | not contoured, because no network found it in the scan |
| `no_model` | not contoured, because no network for it is installed |
| `not_derived` | a [structure by recipe](structures.md) that was not made |
"""

STUDY = """## The whole study

Each appears once, under `study_flags`. They apply to all contours and do not change any organ's
status. They are shown in the RTSTRUCT (Structure Set Description, and in short in each ROI
Description), at the top of the reports and above the table at the terminal. With `strict: true` the
program ends with exit status 4, and the DICOM node holds the study until a person has reviewed it.
"""

SUSPICIOUS = """## An organ that is contoured, and in doubt

Each makes the organ `suspicious`. Look at the organ in all three planes first.
"""

CUT = """## An organ that the field of view cuts

If this is its only flag, the organ is `truncated`.
"""

UNCONTOURED = """## An organ that is not contoured

The organ is `failed` or `absent`, and the flag says why. An organ that the localization network
does not find is `absent` without a flag.
"""


NOT_DERIVED = """## A structure that is not made

The structure is `not_derived`, and the flag says why. A structure that is made has the flags
PARENT_SUSPICIOUS, PARENT_TRUNCATED and FIELD_OF_VIEW above, and no others: look at its parents.
"""


def pages() -> dict[str, str]:
    """Text of the page by its path below docs/reference."""
    sections: tuple[tuple[str, Callable[[Definition], bool]], ...] = (
        (STUDY, lambda row: row.scope is Scope.STUDY),
        (SUSPICIOUS, lambda row: row.statuses == ("suspicious",)),
        (CUT, lambda row: "truncated" in row.statuses),
        (UNCONTOURED, lambda row: bool({"failed", "absent"} & set(row.statuses))),
        (NOT_DERIVED, lambda row: row.statuses == ("not_derived",)),
    )
    parts = [HEAD]
    for head, belongs in sections:
        rows = {code: row for code, row in FLAGS.items() if belongs(row)}
        parts.append(f"{head}\n{table(rows)}")
    return {"flags.md": "\n".join(parts)}


def table(rows: dict[FlagCode, Definition]) -> str:
    """Flags with an example's message, meaning, what to check, and the names of the values."""
    cells = [
        (
            f"`{code}`",
            Flag.of(code, **row.example).message,
            row.meaning,
            row.check,
            ", ".join(f"`{name}`" for name in row.example) or "none",
        )
        for code, row in rows.items()
    ]
    return markdown_table(("code", "message", "meaning", "check", "values"), cells) + "\n"
