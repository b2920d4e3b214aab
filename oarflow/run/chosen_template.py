"""Lists templates for people, and explains which one is taken for a CT, without patient data."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from oarflow.errors import ConfigurationError
from oarflow.intake import SeriesRules, read_texts
from oarflow.intake.archive import is_zip, unpacked
from oarflow.run.console import rich_console
from oarflow.shown import shown
from oarflow.templates.rules import TemplateFacts
from oarflow.templates.template import Template, TemplateSet

NONE_IN_FORCE = (
    "no templates are in force: name a folder, or `shipped`, under `templates` in the settings\n"
)


def ct_texts(ct: Path, rules: SeriesRules) -> Mapping[str, str | None]:
    """The texts that rules read of the planning CT in a folder or zip archive.

    Raises ConfigurationError NO_INPUT, Refusal where no series can be chosen.
    """
    if not ct.is_dir() and not is_zip(ct):
        raise ConfigurationError("NO_INPUT", f"input {ct} is neither a folder nor a zip archive")
    with tempfile.TemporaryDirectory(prefix="oarflow-") as room:
        return read_texts(unpacked((ct.resolve(),), Path(room)), rules)


def print_templates(templates: TemplateSet, folder: Path | None, stream: TextIO) -> None:
    """Print the templates of a folder in the order in which they are tried."""
    if folder is None:
        stream.write(NONE_IN_FORCE)
        return
    table = Table(box=SIMPLE_HEAD)
    for heading in ("template", "order", "rules", "settings", "about"):
        table.add_column(heading, overflow="fold")
    for one in templates.templates:
        rules = "\n".join(rule.words for rule in one.keys.rules) or "default"
        order = "" if one.is_default else str(one.keys.order)
        cells = (one.name, order, rules, ", ".join(one.settings), one.keys.about)
        table.add_row(*(escape(shown(cell)) for cell in cells))
    stream.write(f"templates of {folder}\n")
    rich_console(stream).print(table)


def print_choice(templates: TemplateSet, facts: TemplateFacts, stream: TextIO) -> None:
    """Print which template is taken, and for each rule whether it fits or what fails."""
    if not templates.templates:
        stream.write(NONE_IN_FORCE)
        return
    choice = templates.choose(facts)
    if choice is None:
        stream.write("taken: none, because no rule fits and there is no default\n")
    elif choice.rule is None:
        stream.write(f"taken: {choice.template.name}, the default, because no rule fits\n")
    else:
        stream.write(f"taken: {choice.template.name}, by the rule {shown(choice.rule.words)}\n")
    for template in templates.templates:
        for line in _verdicts(template, facts):
            stream.write(f"  {template.name}: {shown(line)}\n")


def _verdicts(template: Template, facts: TemplateFacts) -> list[str]:
    if template.is_default:
        return ["default"]
    lines = []
    for number, rule in enumerate(template.keys.rules, start=1):
        unmet = rule.unmet(facts)
        lines.append(f"rule {number} " + (f"fails: {', '.join(unmet)}" if unmet else "fits"))
    return lines
