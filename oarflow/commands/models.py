"""`oarflow models`: list, verify and describe the networks of a models folder."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from oarflow.commands.flags import add_config, add_models
from oarflow.errors import ConfigurationError, ExitStatus

if TYPE_CHECKING:
    from oarflow.networks.card import ModelCard

EPILOG = """  oarflow models              list the networks
  oarflow models verify       compare every file with its card and with trusted_models
  oarflow models show NAME    print a network's card

exit status of verify: 0 all files match; 1 at least one does not"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("action", nargs="?", choices=("list", "verify", "show"), default="list")
    add("name", nargs="?", metavar="NAME", help="for show: the network's folder")
    add_models(parser)
    add_config(parser)
    add("--json", action="store_true", help="print the cards as JSON")


def run(flags: argparse.Namespace) -> int:
    """List, verify or show. Returns the exit status. Raises ConfigurationError."""
    from oarflow.networks.cards import read_cards
    from oarflow.run.paths import models_path

    if (flags.name is not None) != (flags.action == "show"):
        raise ConfigurationError("USAGE", "name a network with `show`, and only with `show`")
    folder = models_path(flags.models, os.environ)
    cards = read_cards(folder)
    if flags.action == "verify":
        return _verify(folder, cards, flags.config)
    if flags.action == "show":
        cards = {flags.name: _named(flags.name, cards)}
    if flags.json:
        document = {name: card.model_dump(mode="json") for name, card in cards.items()}
        for name, words in _commissioned(cards, flags.config).items():
            document[name]["commissioned"] = words
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif flags.action == "show":
        from oarflow.networks.card_page import card_page

        sys.stdout.write(card_page(cards[flags.name]))
    else:
        _list(cards, _commissioned(cards, flags.config))
    return ExitStatus.WRITTEN


def _named(name: str, cards: Mapping[str, ModelCard]) -> ModelCard:
    for folder, card in cards.items():
        if name in (folder, card.name):
            return card
    raise ConfigurationError("USAGE", f"no network {name!r}; choose from {', '.join(cards)}")


def _commissioned(cards: Mapping[str, ModelCard], config: Path | None) -> dict[str, str]:
    """Whether each network that contours is commissioned at the site, in words."""
    from oarflow.networks.card import Role
    from oarflow.run.paths import config_path
    from oarflow.run.site_paths import site_records

    records = site_records(config_path(config, os.environ))
    return {
        name: records.standing(card.sha256, card.digest).words
        for name, card in cards.items()
        if card.role is Role.SEGMENTER
    }


def _list(cards: Mapping[str, ModelCard], commissioned: Mapping[str, str]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from oarflow.run.console import rich_console

    titles = ("network", "network version", "role", "organs", "commissioned")
    table = Table(*titles, box=None, pad_edge=False)
    for name, card in cards.items():
        words = escape(commissioned.get(name, ""))
        table.add_row(name, card.version, card.role, ", ".join(card.organs), words)
    rich_console(sys.stdout).print(table)


def _verify(folder: Path, cards: Mapping[str, ModelCard], config: Path | None) -> int:
    from oarflow.networks.card import NETWORK_NAME
    from oarflow.networks.cards import check_file
    from oarflow.run.paths import config_path
    from oarflow.run.settings import load_settings

    listed = load_settings(config_path(config, os.environ)).trusted_models
    trusted = None if listed is None else frozenset(listed)
    wrong = 0
    for name, card in cards.items():
        try:
            check_file(folder / name / NETWORK_NAME, card, trusted)
            verdict = "matches its card"
        except ConfigurationError as error:
            wrong += 1
            verdict = f"WRONG: {error.code}: {error}"
        sys.stdout.write(f"{name}: {verdict}\n")
    return ExitStatus.FAULT if wrong else ExitStatus.WRITTEN
