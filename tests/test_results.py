"""Figures in the documents are of the networks that are shipped."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import fmean

import pytest

from oarflow.evaluation.experts.scores import SHARED_ORGANS, SOURCES, read_scores
from oarflow.networks.cards import read_cards
from oarflow.version import NETWORKS, __version__

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "docs" / "results"
CARDS = list(read_cards(REPOSITORY / "models").values())


def test_program_and_networks_have_versions_of_their_own() -> None:
    newest = max(tuple(map(int, card.version.split("."))) for card in CARDS)
    assert ".".join(map(str, newest[:2])) == NETWORKS
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert f"networks {NETWORKS} (OARflow {__version__})" in readme


def scores() -> dict[str, list[float]]:
    """Dice by organ, as `oarflow evaluate chain` wrote it."""
    found: dict[str, list[float]] = {}
    with (RESULTS / "chain.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["organ"], []).append(float(row["dice"]))
    return found


@pytest.mark.parametrize("name", ["chain.md", "more-organs.md", "dose.md", "experts.md"])
def test_a_page_is_of_the_shipped_networks(name: str) -> None:
    page = (RESULTS / name).read_text(encoding="utf-8")
    assert [card.name for card in CARDS if card.sha256 not in page] == []


def first_rows(page: str) -> dict[str, list[str]]:
    """Cells of the first row of each name in a page's tables."""
    lines = (RESULTS / page).read_text(encoding="utf-8").splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        name, *others = (cell.strip() for cell in line.strip("| ").split("|"))
        found.setdefault(name, others)
    return found


def test_the_readme_has_the_figures_of_the_experts_page() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    found = read_scores(RESULTS / "experts.csv")
    for organ in (*SHARED_ORGANS, "SpinalCanal", "Glnd_Submand_L", "Glnd_Submand_R"):
        own = [one for one in found if one.organ == organ]
        dice = [[one.dice for one in own if one.source == source] for source in SOURCES]
        cells = [f"{fmean(values):.3f}" if values else "-" for values in dice]
        assert f"| {organ} | {len(dice[0])} | {' | '.join(cells)} |" in readme


def test_the_readme_has_the_figures_of_the_chain() -> None:
    """Of the organs that the experts' page does not have; the page has those of the table."""
    readme = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
    rows = first_rows("chain.md")
    for organ, dice in scores().items():
        n, _, mean, *_ = rows[organ]
        assert int(n) == len(dice)
        assert mean == f"{fmean(dice):.3f}"
    for organ in ("Esophagus", "Larynx"):
        n, _, mean, *_ = rows[organ]
        assert f"{mean} for the {organ.lower()} ({n} patients" in readme


def test_the_cards_have_the_figures_of_the_page() -> None:
    found = scores()
    held = 0
    for card in CARDS:
        for organ in set(card.organs) & set(found):
            if card.validation is not None:
                assert card.validation.n[organ] == len(found[organ])
                mean = card.validation.figures[organ]["dice_mean"]
                assert mean == pytest.approx(fmean(found[organ]), abs=6e-4)
                held += 1
    assert held == len(found)
