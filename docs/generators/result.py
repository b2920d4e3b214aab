"""The page and the JSON Schema of result.json."""

from __future__ import annotations

from docs.generators import MADE
from docs.generators.fields import rows
from oarflow import result
from oarflow.flags.flag import Flag

HEAD = f"""# result.json

{MADE}
Every run ends with `result.json` in the output folder. It is written last. It holds no patient
name, ID or birth date.

The JSON Schema is [result.schema.json](result.schema.json); `oarflow config schema` prints it.
Later versions with the same major number only add fields. A reader refuses a document of another
major number. `template` and `source` are reserved: no run of this version fills them.

An organ has the first status that applies: failed, suspicious, truncated, segmented; without a
contour absent or no_model. A [structure by recipe](structures.md) is `not_derived` where it is not
made. [Review contours](../how-to/review-contours.md#before-you-look) explains each status.
"""

PARTS: tuple[tuple[str, type], ...] = (
    ("The document", result.ResultDocument),
    ("`run`", result.Run),
    ("`run.networks[]`", result.NetworkPart),
    ("`refusal`, `refusal.also[]`", result.RefusalPart),
    ("`fault`", result.FaultPart),
    ("`input`", result.Input),
    ("`files`", result.Files),
    ("`organs[]`", result.OrganPart),
    ("`organs[].model`", result.ModelPart),
    ("`organs[].source`", result.SourcePart),
    ("`organs[].localization`", result.LocalizationPart),
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
