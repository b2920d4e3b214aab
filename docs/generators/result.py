"""The page and the JSON Schema of result.json."""

from __future__ import annotations

from docs.generators import MADE
from docs.generators.fields import rows
from oarflow import result
from oarflow.flags.flag import Flag

HEAD = f"""# result.json

{MADE}
`result.json` is the last file that a run writes into the output folder. It holds no patient name,
ID or birth date. A run that stops with exit status 2, 130 or 143 leaves no `result.json`. [Exit
statuses](exit-statuses.md) explains the field `exit_status`.

The JSON Schema is [result.schema.json](result.schema.json); `oarflow config schema` prints it.
Later versions with the same major number only add fields. If the major number differs, do not read
the document.

An organ with a contour has the first status of these that applies: `suspicious`, `truncated`,
`segmented`. An organ without a contour is `failed`, `absent` or `no_model`. A [structure by
recipe](structures.md) without a contour is `not_derived`. [Review
contours](../how-to/review-contours.md#before-you-look) explains each status.
"""

PARTS: tuple[tuple[str, type], ...] = (
    ("The document", result.ResultDocument),
    ("`run`", result.Run),
    ("`run.networks[]`", result.NetworkPart),
    ("`refusal`, `refusal.also[]`", result.RefusalPart),
    ("`fault`", result.FaultPart),
    ("`input`", result.Input),
    ("`files`", result.Files),
    ("`template`", result.TemplatePart),
    ("`organs[]`", result.OrganPart),
    ("`organs[].model`", result.ModelPart),
    ("`organs[].source`", result.SourcePart),
    ("`organs[].localization`", result.LocalizationPart),
    ("`organs[].second_opinions[]`", result.SecondOpinionPart),
    ("`organs[].flags[]`, `study_flags[]`", Flag),
    ("`outputs[]`", result.OutputPart),
)


def pages() -> dict[str, str]:
    """Text of page and schema by their paths below docs/reference."""
    tables = [table(place, part) for place, part in PARTS]
    return {"result.md": "\n".join([HEAD, *tables]), "result.schema.json": result.json_schema()}


def table(place: str, part: type) -> str:
    """The fields of one part."""
    lines = ["| field | values | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{row.name}` | {row.values} | {row.meaning} |" for row in rows(part)]
    return "\n".join([f"## {place}", "", *lines, ""])
