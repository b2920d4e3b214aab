"""`oarflow models`: list, verify, describe and import networks and rules of a models folder."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from oarflow.commands.import_flags import add_forms
from oarflow.commands.menu import carry_out, menu_of, require
from oarflow.errors import ConfigurationError, ExitStatus

if TYPE_CHECKING:
    from oarflow.networks.cards import Card
    from oarflow.networks.rule_card import RuleCard

    Cards = Mapping[str, Card | RuleCard]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's commands; without one, it lists. `-m` and `-c` may come before or after it."""
    parser.set_defaults(models=None, config=None, json=False)
    _add_models(parser)
    _add_settings(parser)
    _add_json(parser)
    menu = menu_of(parser, required=False)

    listed = menu("list", "list the networks and rules; this is the default command")
    shown = menu("show", "print the card of a network or rule")
    shown.add_argument("name", metavar="NAME", help="its folder, or its name")
    for command in (listed, shown):
        _add_models(command)
        _add_settings(command)
        _add_json(command)

    verified = menu(
        "verify",
        "compare files with their cards, or an imported network with nnunetv2",
        description="Without NAME, compare every file with its card and with trusted_models. Exit"
        " status 0: all files match; 1: at least one does not. With NAME, predict a CT with the"
        " imported network and with nnunetv2, and write Dice and surface distances onto its card.",
    )
    _add_comparison(verified)
    _add_models(verified)
    _add_settings(verified)

    _add_import(menu("import", "import a network that was trained elsewhere"))

    recipes = menu(
        "recipes",
        "list the networks of TotalSegmentator and CADS that can be imported",
        description="List the recipes for networks of TotalSegmentator and CADS: their organs, and"
        " whether their weights are on this computer.",
    )
    _add_models(recipes)
    _add_json(recipes, "print the recipes as JSON")


def _add_comparison(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("name", metavar="NAME", nargs="?", help="an imported network's folder, or its name")
    add("--case", type=Path, metavar="CT", help="folder of a CT")
    add("--python", type=Path, metavar="PATH", help="Python of an environment with nnunetv2")
    add(
        "--folder",
        type=Path,
        metavar="FOLDER",
        help="the network's result folder (default: where it was imported from)",
    )


def _add_models(parser: argparse.ArgumentParser) -> None:
    """-m of every command; one that is not given leaves the value given before the command."""
    parser.add_argument(
        "-m",
        "--models",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="networks (default: those installed)",
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="settings (default: the shipped app.yaml)",
    )


def _add_json(parser: argparse.ArgumentParser, about: str = "print the cards as JSON") -> None:
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=about)


def _add_import(parser: argparse.ArgumentParser) -> None:
    add_forms(menu_of(parser, dest="form"), _add_models)


def run(flags: argparse.Namespace) -> int:
    """Run one command. Returns the exit status. Raises ConfigurationError."""
    from oarflow.networks.cards import read_cards
    from oarflow.networks.rule_card import read_rules
    from oarflow.run.paths import models_path

    flags.models = models_path(flags.models, os.environ)
    if flags.command == "import":
        return carry_out(lambda: _import(flags))
    if flags.command == "recipes":
        return _list_recipes(flags)
    networks = read_cards(flags.models)
    if flags.command == "verify" and flags.name is not None:
        return carry_out(lambda: _verify_network(flags, networks))
    if flags.command == "verify":
        return _verify(flags.models, networks, flags.config)
    both: Cards = {**networks, **read_rules(flags.models)}
    cards = {name: both[name] for name in sorted(both)}
    if flags.command == "show":
        cards = {flags.name: _named(flags.name, cards)}
    if flags.json:
        document = {name: card.model_dump(mode="json") for name, card in cards.items()}
        for name, words in _commissioned(networks, flags.config).items():
            if name in document:
                document[name]["commissioned"] = words
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif flags.command == "show":
        from oarflow.networks.card_page import card_page

        sys.stdout.write(card_page(cards[flags.name]))
    else:
        _list(cards, _commissioned(networks, flags.config))
    return ExitStatus.WRITTEN


def _import(flags: argparse.Namespace) -> int:
    if flags.form in ("nnunet", "bundle"):
        from oarflow.importing.commands import import_bundle, import_nnunet

        return import_nnunet(flags) if flags.form == "nnunet" else import_bundle(flags)
    from oarflow.importing.recipes.commands import import_by_recipe

    return import_by_recipe(flags)


def _list_recipes(flags: argparse.Namespace) -> int:
    from oarflow.importing.recipes.listing import recipe_rows
    from oarflow.networks.cards import read_cards

    rows = list(recipe_rows(read_cards(flags.models), os.environ))
    if flags.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
        return ExitStatus.WRITTEN
    from rich.markup import escape
    from rich.table import Table

    from oarflow.run.console import rich_console

    titles = ("program", "number", "task", "weights", "organs")
    table = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        state = "imported" if row.imported else str(row.weights)
        if row.licence_number:
            state += ", needs a licence number"
        organs = escape(", ".join(row.organs))
        table.add_row(row.program, str(row.number), row.task, state, organs)
    console = rich_console(sys.stdout)
    console.print(table)
    for row in rows:
        if row.weights == "unusable":
            console.print(escape(f"{row.program} {row.number}: {row.problem}"))
    return ExitStatus.WRITTEN


def _named(name: str, cards: Cards) -> Card | RuleCard:
    for folder, card in cards.items():
        if name in (folder, card.name):
            return card
    raise ConfigurationError(
        "USAGE", f"no network or rule {name!r}; choose from {', '.join(cards)}"
    )


def _verify_network(flags: argparse.Namespace, cards: Mapping[str, Card]) -> None:
    require("sitk")
    from oarflow.importing.verify import Comparison, verify
    from oarflow.networks.imported.card import ImportedCard

    card = _named(flags.name, cards)
    if not isinstance(card, ImportedCard):
        raise ConfigurationError(
            "USAGE",
            f"{flags.name} was not imported: only imported networks have nnunetv2 to compare with",
        )
    if flags.case is None or flags.python is None:
        raise ConfigurationError("USAGE", "verify NAME needs --case and --python")
    folder = next(name for name, other in cards.items() if other is card)
    verify(flags.models / folder, card, Comparison(flags.case, flags.python, flags.folder))


def _commissioned(cards: Mapping[str, Card], config: Path | None) -> dict[str, str]:
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


def _list(cards: Cards, commissioned: Mapping[str, str]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from oarflow.run.console import rich_console

    titles = ("network or rule", "version", "role", "organs", "commissioned")
    table = Table(*titles, box=None, pad_edge=False)
    for name, card in cards.items():
        words = escape(commissioned.get(name, ""))
        table.add_row(name, card.version, card.role, ", ".join(card.organs), words)
    rich_console(sys.stdout).print(table)


def _verify(folder: Path, cards: Mapping[str, Card], config: Path | None) -> int:
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
