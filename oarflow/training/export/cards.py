"""Validation figures into the model cards, and the cards as pages for people."""

from __future__ import annotations

import csv
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from oarflow.networks.card import CARD_NAME, ModelCard, Role, Validation, write_card
from oarflow.networks.card_page import card_page
from oarflow.networks.cards import read_cards
from oarflow.networks.rule_card import read_rules

OWN = "OARflow"
"""The source of OARflow's own contours in a table that compares several."""


def record_validation(scores: Path, models: Path, data: str) -> None:
    """Put mean, median, spread and least Dice, HD95 and n of scores.csv into the cards.

    scores: columns organ, dice, hd95_mm at least, as `oarflow evaluate chain` writes them. In a
    table of `oarflow evaluate experts`, only the rows with the source OARflow count.
    The localizer's card is left as it is. Organs that a rule contours are left out: their scores
    are not the network's.
    """
    ruled = {organ for card in read_rules(models).values() for organ in card.organs}
    dice: dict[str, list[float]] = defaultdict(list)
    distance: dict[str, list[float]] = defaultdict(list)
    with scores.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row.get("source", OWN) != OWN:
                continue
            dice[row["organ"]].append(float(row["dice"]))
            if row["hd95_mm"] not in ("", "nan", "inf"):
                distance[row["organ"]].append(float(row["hd95_mm"]))
    for path, card in _cards(models):
        organs = [organ for organ in card.organs if dice[organ] and organ not in ruled]
        if card.role is not Role.SEGMENTER or not organs:
            continue
        validation = Validation(
            data=data,
            n={organ: len(dice[organ]) for organ in organs},
            figures={organ: _figures(dice[organ], distance[organ]) for organ in organs},
        )
        write_card(card.model_copy(update={"validation": validation}), path)


def _figures(dice: list[float], distance: list[float]) -> dict[str, float]:
    figures = {
        "dice_mean": statistics.mean(dice),
        "dice_median": statistics.median(dice),
        "dice_sd": statistics.stdev(dice) if len(dice) > 1 else 0.0,
        "dice_min": min(dice),
    }
    if distance:
        figures["hd95_mm_median"] = statistics.median(distance)
    return {name: round(value, 4) for name, value in figures.items()}


def write_pages(models: Path, output: Path) -> None:
    """One Markdown page for each network and rule in the output folder."""
    output.mkdir(parents=True, exist_ok=True)
    for name, card in {**read_cards(models), **read_rules(models)}.items():
        (output / f"{name}.md").write_text(card_page(card), encoding="utf-8")


def _cards(models: Path) -> Iterator[tuple[Path, ModelCard]]:
    for name, card in read_cards(models).items():
        if isinstance(card, ModelCard):
            yield models / name / CARD_NAME, card
