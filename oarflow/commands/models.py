"""`oarflow models`: list, verify and describe the networks and rules of a models folder."""

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
    from oarflow.networks.rule_card import RuleCard

    Cards = Mapping[str, ModelCard | RuleCard]

EPILOG = """  oarflow models              list the networks and rules
  oarflow models verify       compare every file with its card and with trusted_models
  oarflow models show NAME    print the card of a network or rule

exit status of verify: 0 all files match; 1 at least one does not"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("action", nargs="?", choices=("list", "verify", "show"), default="list")
    add("name", nargs="?", metavar="NAME", help="for show: the folder of the network or rule")
    add_models(parser)
    add_config(parser)
    add("--json", action="store_true", help="print the cards as JSON")


def run(flags: argparse.Namespace) -> int:
    """List, verify or show. Returns the exit status. Raises ConfigurationError."""
    from oarflow.networks.cards import read_cards
    from oarflow.networks.rule_card import RuleCard, read_rules
    from oarflow.run.paths import models_path

    if (flags.name is not None) != (flags.action == "show"):
        raise ConfigurationError("USAGE", "name a network with `show`, and only with `show`")
    folder = models_path(flags.models, os.environ)
    networks = read_cards(folder)
    both: Cards = {**networks, **read_rules(folder)}
    cards = {name: both[name] for name in sorted(both)}
    if flags.action == "verify":
        return _verify(folder, networks, flags.config)
    if flags.action == "show":
        cards = {flags.name: _named(flags.name, cards)}
    if flags.json:
        document = {name: card.model_dump(mode="json") for name, card in cards.items()}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif flags.action == "show":
        from oarflow.networks.card_page import card_page, rule_page

        card = cards[flags.name]
        page = rule_page(card) if isinstance(card, RuleCard) else card_page(card)
        sys.stdout.write(page)
    else:
        _list(cards)
    return ExitStatus.WRITTEN


def _named(name: str, cards: Cards) -> ModelCard | RuleCard:
    for folder, card in cards.items():
        if name in (folder, card.name):
            return card
    raise ConfigurationError(
        "USAGE", f"no network or rule {name!r}; choose from {', '.join(cards)}"
    )


def _list(cards: Cards) -> None:
    from rich.table import Table

    from oarflow.run.console import rich_console

    table = Table("network or rule", "version", "role", "organs", box=None, pad_edge=False)
    for name, card in cards.items():
        table.add_row(name, card.version, card.role, ", ".join(card.organs))
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
