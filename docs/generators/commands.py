"""Pages of the command line: the menu, and every command with its options."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

from docs.generators import MADE
from oarflow.commands import VERBS, parser

MANY = 10
"""A verb with more commands than this has a page for each of them."""


class Recording(argparse.ArgumentParser):
    """Remembers its own commands, which argparse does not show."""

    def __init__(self, *names: Any, **options: Any) -> None:
        super().__init__(*names, **options)
        self.commands: Any = None

    def add_subparsers(self, **options: Any) -> Any:
        self.commands = super().add_subparsers(**options)
        return self.commands


def pages() -> dict[str, str]:
    """Text of every page by its path below docs/reference."""
    os.environ["COLUMNS"] = "80"
    whole = parser("all", Recording)
    verbs = dict(page for name, own in commands(whole) for page in verb_pages(name, own))
    return {"command-line.md": menu(), **verbs}


def menu() -> str:
    """Every verb with a link to its page."""
    rows = (f"| [`{verb}`](commands/{verb}.md) | {about} |" for verb, about in VERBS.items())
    return f"""# Command line

{MADE}
`oarflow VERB --help` prints the text of these pages. In every verb, `-o` names the output, `-m` the
folder of networks and `-c` the settings file. All verbs use the same
[exit statuses](exit-statuses.md).

The container and MONAI Deploy run `python -m app`. With the same settings it writes the same files
as `oarflow segment`.

| verb | does |
| --- | --- |
{chr(10).join(rows)}
"""


def commands(own: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Name and parser of each command below a parser."""
    if isinstance(own, Recording) and own.commands:
        yield from own.commands.choices.items()


def verb_pages(name: str, own: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Path and text of a verb's page; the commands of a verb with many have pages of their own."""
    inner = dict(commands(own))
    head = [f"# oarflow {name}", MADE, block(own)]
    if len(inner) <= MANY:
        yield f"commands/{name}.md", "\n".join([*head, *sections(f"oarflow {name}", own)])
        return
    links = (f"- [`oarflow {name} {one}`]({name}/{one}.md)" for one in inner)
    yield f"commands/{name}.md", "\n".join([*head, *links, ""])
    for one, its in inner.items():
        yield f"commands/{name}/{one}.md", f"# oarflow {name} {one}\n\n{MADE}\n{block(its)}"


def sections(above: str, own: argparse.ArgumentParser) -> Iterator[str]:
    """A section for each command below a parser, and for the commands below that."""
    for one, its in commands(own):
        yield f"## {above} {one}\n\n{block(its)}"
        yield from sections(f"{above} {one}", its)


def block(own: argparse.ArgumentParser) -> str:
    """A help text as a block."""
    return f"```text\n{own.format_help().rstrip()}\n```\n"
