"""Pages of the settings: the application's, the templates' and the node's."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from collections.abc import Iterable

from pydantic import BaseModel

from docs.generators import MADE, profiles
from docs.generators.fields import SECTION, Row, about, default_text, rows, sections
from oarflow.intake import SeriesRule, SeriesRules
from oarflow.node.settings import NodeSettings
from oarflow.patterns import MAX_SEARCHED
from oarflow.run.settings import PACKAGER_KEYS, Settings
from oarflow.templates.folder import MAX_BYTES, MAX_TEMPLATES, RUN_KEYS
from oarflow.templates.rules import TemplateRule
from oarflow.templates.template import TemplateKeys

APPLICATION = f"""# Settings

{MADE}
These are the keys of `app.yaml`. An unknown key is an error. Its message names the nearest known
key. `oarflow config` prints the settings in force. [Choose organs, names and
settings](../how-to/choose-settings.md) shows common choices.

Only the MONAI Deploy packager reads the keys `application` and `resources`, which are not listed
here.
"""

TEMPLATES = f"""# Templates

{MADE}
A template is a file `NAME.yaml` in the folder that the setting `templates` names. It has the keys
below and keys of [app.yaml](settings.md), such as `organs`, `rois`, `profile` and `label`.
[Choose organs by protocol](../how-to/choose-by-protocol.md) shows how to write one.

The settings of a run come from four layers. A later layer replaces values of an earlier one:

1. the defaults;
2. `app.yaml`;
3. the template;
4. `--set`, then options such as `--organs` and `--profile`.

A later layer replaces single keys of a section such as `rois`. It replaces a list as a whole.

OARflow tries the templates in ascending `order`, those of the same order by name. It takes the
first one with a rule that fits. If no rule fits, it takes the default. If there is no default,
layer 3 is empty.

{{fixed}}

A folder has at most {MAX_TEMPLATES} templates of at most {MAX_BYTES // 2**10} KiB each. Hidden
files and files with other endings are left out. A link must not lead out of the folder. A faulty
template ends every run with exit status 2 before the CT is read.

OARflow reads the first {MAX_SEARCHED} characters of each text, in the CT's character set. A
condition fails if the text differs between the slices of the CT.
"""

NODE = f"""# Settings of the node

{MADE}
These are the keys of the node's settings file. An unknown key is an error. Its message names the
nearest known key. `oarflow node --print-config` prints the settings in force, with `***` for
passwords and tokens in URLs. In the name of a section, `[]` stands for an entry of a list, and NAME
for a name that you choose.
"""

BY_INSTALLATION = ("command", "models")
"""Keys of `execution` whose default depends on the place of the program."""


def pages() -> dict[str, str]:
    """Text of the pages by path below docs/reference."""
    return {
        "settings.md": application(),
        "templates.md": templates(),
        "node-settings.md": node(),
    }


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
            "Which MR series is read, if a network reads an MR. The MR must be of the CT's "
            "patient. Its study\nand Frame of Reference may differ. The program registers the MR "
            "to the CT. If the check of\nthe registration fails, the MR is not used.",
            mr,
        ),
        *(table(f"## `{place}`", about(model), rows(model)) for place, model in own.items()),
        profiles.section(),
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


def templates() -> str:
    """Every key of a template that is no setting."""
    fixed = ", ".join(f"`{key}`" for key in sorted(RUN_KEYS - PACKAGER_KEYS))
    words = f"These keys apply to the whole run, so that a template cannot set them: {fixed}."
    head = TEMPLATES.format(fixed=textwrap.fill(words, 100, break_on_hyphens=False))
    keys = table("## Keys", "", rows(TemplateKeys))
    rules = table("## `rules[]`", inspect.getdoc(TemplateRule) or "", rows(TemplateRule))
    return "\n".join([head, keys, rules])


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
    """The rows of a section, without the defaults that differ by installation."""
    return [
        dataclasses.replace(row, default=SECTION) if row.name in BY_INSTALLATION else row
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
