"""Pages of the settings: the application's and the node's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from pydantic import BaseModel

from docs.generators import MADE
from docs.generators.fields import SECTION, Row, about, default_text, rows, sections
from oarflow.intake import SeriesRule, SeriesRules
from oarflow.node.settings import NodeSettings
from oarflow.run.settings import Settings

APPLICATION = f"""# Settings

{MADE}
The keys of `app.yaml`. An unknown key is an error that names the nearest known one. `oarflow
config` prints the settings in force. [Choose organs, names and
settings](../how-to/choose-settings.md) shows common choices.

`application` and `resources` are read by the MONAI Deploy packager only.
"""

NODE = f"""# Settings of the node

{MADE}
The keys of the node's settings file. An unknown key is an error that names the nearest known one.
`oarflow node --print-config` prints the settings in force, with `***` for passwords and tokens in
URLs. In a section's name, `[]` stands for an entry of a list and NAME for a name of your choice.
"""


def pages() -> dict[str, str]:
    """Text of both pages by path below docs/reference."""
    return {"settings.md": application(), "node-settings.md": node()}


def application() -> str:
    """Every key of app.yaml."""
    own = {
        place: model
        for place, model in sections(Settings)
        if place and not place.startswith("structures")  # structures.md has the recipes
    }
    rules = [row for row in rows(SeriesRule) if row.name != "modality"]
    defaults = Settings().mr
    mr = [dataclasses.replace(row, default=defaults[row.name]) for row in rules]
    parts = [
        APPLICATION,
        table("## Top level", "", top_level()),
        table("## `series`", "Which series is the planning CT.", rows(SeriesRules)),
        table(
            "## `series.select[]`",
            "Conditions on a series. All that are given must hold.",
            rows(SeriesRule),
        ),
        table(
            "## `mr`",
            "Which MR series is read, if a network reads one. The MR must be of the CT's patient; "
            "its study\nand Frame of Reference may be others. It is registered to the CT. If a "
            "check fails, it is not used.",
            mr,
        ),
        *(table(f"## `{place}`", about(model), rows(model)) for place, model in own.items()),
    ]
    return "\n".join(parts)


def top_level() -> list[Row]:
    """The top-level keys; `series` and `mr` are sections."""
    return [
        dataclasses.replace(row, default=SECTION, values="section")
        if row.name in ("series", "mr")
        else row
        for row in rows(Settings)
    ]


def node() -> str:
    """Every key of the node's settings."""
    places: dict[type[BaseModel], list[str]] = {}
    for place, model in sections(NodeSettings):
        if place:
            places.setdefault(model, []).append(place)
    parts = [NODE]
    for model, found in places.items():
        heading = ", ".join(f"`{place}`" for place in dict.fromkeys(found))
        kind = model.model_fields.get("kind")
        if kind is not None:
            heading += f" with `kind: {kind.annotation.__args__[0]}`"  # type: ignore[union-attr]
        parts.append(table(f"## {heading}", about(model), node_rows(model)))
    return "\n".join(parts)


def node_rows(model: type[BaseModel]) -> list[Row]:
    """The rows of a section, without the default of `command`, which differs by installation."""
    return [
        dataclasses.replace(row, default=SECTION) if row.name == "command" else row
        for row in rows(model)
    ]


def table(heading: str, text: str, of: Iterable[Row]) -> str:
    """A section of a page: heading, text and the table of its keys."""
    lines = ["| key | default | values | meaning |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{row.name}` | {default_text(row.default)} | {row.values} | {row.meaning} |"
        for row in of
    ]
    return "\n".join([heading, *(["", text] if text else []), "", *lines, ""])
