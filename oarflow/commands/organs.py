"""`oarflow organs`: the catalogue, with each organ's network or rule, and accuracy."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from oarflow.commands.flags import add_models
from oarflow.errors import ConfigurationError, ExitStatus

if TYPE_CHECKING:
    from oarflow.networks.cards import Card
    from oarflow.networks.rule_card import RuleCard
    from oarflow.organs import Catalogue

EPILOG = """Dice: mean over n validation patients, from the network's card. A star (*): compared
with labels computed by rules, not with drawn contours. A rule contours its organ in place of the
networks listed below it. Names of paired organs need a side:
"Left Parotid", "Parotid_L". --json lists every accepted name."""


@dataclass(frozen=True)
class OrganNetwork:
    """A network of an organ. dice_mean: over n validation patients; None where not measured."""

    name: str
    version: str
    reads_mr: bool
    derived_labels: bool
    dice_mean: float | None
    n: int


@dataclass(frozen=True)
class OrganRow:
    """An organ of the catalogue, its rule and its networks.

    rule: name and version of the rule that contours it; a rule takes precedence over networks.

    aliases: every other accepted name. stems: names that need a side before or behind them;
    `aliases` has these forms too.
    """

    name: str
    aliases: tuple[str, ...]
    stems: tuple[str, ...]
    rule: str | None
    networks: tuple[OrganNetwork, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.epilog = EPILOG
    add_models(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(flags: argparse.Namespace) -> int:
    """Print the catalogue. Returns the exit status. Raises ConfigurationError."""
    from oarflow.networks.cards import read_cards
    from oarflow.networks.rule_card import read_rules
    from oarflow.organs import CatalogueError, load_catalogue
    from oarflow.run.paths import models_path

    models = models_path(flags.models, os.environ)
    try:
        catalogue = load_catalogue(models)
    except CatalogueError as error:
        raise ConfigurationError("CATALOGUE", str(error)) from error
    rows = organ_rows(catalogue, read_cards(models), read_rules(models))
    if flags.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    else:
        _print(rows)
    return ExitStatus.WRITTEN


def organ_rows(
    catalogue: Catalogue, cards: Mapping[str, Card], rules: Mapping[str, RuleCard]
) -> tuple[OrganRow, ...]:
    """Every organ in the catalogue's order, those with a network or rule first."""
    ruled = {
        organ: f"{card.name} {card.version}" for card in rules.values() for organ in card.organs
    }
    rows = (
        OrganRow(
            organ.name,
            organ.names[1:],
            organ.stems,
            ruled.get(organ.name),
            tuple(_networks(organ.name, cards.values())),
        )
        for organ in catalogue
    )
    return tuple(sorted(rows, key=lambda row: not (row.rule or row.networks)))


def _networks(organ: str, cards: Iterable[Card]) -> Iterable[OrganNetwork]:
    for card in cards:
        if card.role != "segmenter" or organ not in card.organs:
            continue
        measured = card.validation
        dice = measured.figures.get(organ, {}).get("dice_mean") if measured else None
        n = measured.n.get(organ, 0) if measured and dice is not None else 0
        yield OrganNetwork(card.name, card.version, card.reads_mr, card.derived_labels, dice, n)


def _print(rows: Iterable[OrganRow]) -> None:
    from rich.table import Table

    from oarflow.run.console import rich_console

    table = Table("organ", "network or rule", box=None, pad_edge=False)
    table.add_column("Dice", justify="right")
    table.add_column("n", justify="right")
    table.add_column("other names")
    for row in rows:
        sources = [_words(network) for network in row.networks]
        if row.rule:
            sources.insert(0, (f"{row.rule} (rule)", "", ""))
        first, *others = sources or [("none", "", "")]
        table.add_row(row.name, *first, ", ".join(_short_names(row)))
        for other in others:
            table.add_row("", *other, "")
    rich_console(sys.stdout).print(table)


def _short_names(row: OrganRow) -> Iterable[str]:
    """The other names; names with a side only by their stem."""
    yield from row.stems
    yield from (name for name in row.aliases if not any(stem in name for stem in row.stems))


def _words(network: OrganNetwork) -> tuple[str, str, str]:
    name = f"{network.name} {network.version}" + (" (reads MR)" if network.reads_mr else "")
    if network.dice_mean is None:
        return name, "not measured", ""
    return name, f"{network.dice_mean:.3f}{'*' if network.derived_labels else ' '}", str(network.n)
