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
the limits.

A flag is a warning about one organ or about the whole study. A contour with a flag can be right,
and a contour without a flag can be wrong ([how often](../results/plausibility.md)).

In `result.json` a flag has these fields:

| field | content |
| --- | --- |
| `code` | the name of the flag |
| `scope` | `organ` or `study` |
| `message` | one sentence. The numbers in the messages below are examples |
| `values` | all values by name. Units are part of the names, for example `volume_cc` |

Most limits come from training patients. "Usually at most 45 cc" means that nearly all good contours
of the organ have at most 45 cc.

The messages name two kinds of network. The **localization network** finds each organ on the whole
CT. The **network of the organ** then contours the organ in a part of the CT around that position.
[Rules](../explanation/rules.md) contour some organs without a network. Directions are those of the
patient: superior is toward the head, anterior toward the front.

[Review contours](../how-to/review-contours.md#before-you-look) explains the status of an organ.
"""

STUDY = """## The whole study

These flags concern all contours. They do not change the status of any organ. They appear:

- in `result.json` under `study_flags`,
- at the top of the reports and above the table at the terminal,
- in the Structure Set Description of the RTSTRUCT, and in short in each ROI Description.

With `strict: true`, a run with a study flag ends with exit status 4. The DICOM node then holds the
study until a person has reviewed it.
"""

SUSPICIOUS = """## Flags that make an organ suspicious

The organ is contoured, but the contour is in doubt. Look at the organ in all three planes first.
"""

CUT = """## An organ that the field of view cuts

An organ with no other flag is `truncated`. With another flag it is `suspicious`, and its volume and
DVH are still incomplete.
"""

UNCONTOURED = """## An organ that is not contoured

The organ is `failed` or `absent`, and the flag gives the reason. An organ is also `absent`, without
a flag, if the localization network does not find it.
"""


NOT_DERIVED = """## A structure that is not made

The structure is `not_derived`, and the flag says why. A structure that is made can have only the
flags PARENT_SUSPICIOUS, PARENT_TRUNCATED and FIELD_OF_VIEW (see above). Look at its parents.
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
