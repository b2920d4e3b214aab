"""What `oarflow models import` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from oarflow.importing.organ_map import Assignment
from oarflow.networks.cards import Card
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.rule_card import RuleCard
from oarflow.tables import text_table

PREFER_WORDS = "`prefer` chooses the network of an organ, `second_opinion` compares two networks"


def contoured_too(
    assignment: Assignment, cards: dict[str, Card], rules: dict[str, RuleCard]
) -> dict[str, str]:
    """By organ, a sentence on the rule or network that contours it, too, if there is one."""
    found: dict[str, str] = {}
    for organ in (contour.organ for contour in assignment.contours):
        for name, card in {**cards, **rules}.items():
            if organ not in card.organs or card.role not in ("segmenter", "rule"):
                continue
            if isinstance(card, ImportedCard):
                found.setdefault(organ, f"{name} contours it, too: `prefer` must name one of both")
            else:
                found[organ] = f"not used: {name} contours it"
    return found


def import_summary(
    target: Path,
    card: ImportedCard,
    assignment: Assignment,
    others: Mapping[str, str],
    remarks: Sequence[str],
) -> str:
    """What was imported, as a short table. others: as `contoured_too` gives them."""
    rows = [
        ("network", f"{card.name}, SHA-256 {card.sha256[:16]}..."),
        ("from", card.source.origin),
        ("architecture", f"{card.architecture}, {card.parameters:,} parameters"),
        ("folds", ", ".join(card.folds)),
        ("orientation", f"{card.orientation}, {card.orientation_proof}"),
        *_evidence(card),
        ("inference", _inference(card)),
        ("licence", f"{card.source.licence}; commercial use: {card.source.commercial}"),
        *((organ, _labels(card, organ, others)) for organ in card.organs),
    ]
    if others:
        rows.append(("settings", PREFER_WORDS))
    if assignment.unused:
        rows.append(("without organ", ", ".join(assignment.unused)))
    rows.extend(("note", remark) for remark in remarks)
    rows.append(("written to", str(target)))
    return text_table(("imported", target.name), rows) + "\n"


def _inference(card: ImportedCard) -> str:
    """How the network runs, and whether bfloat16 agreed with single precision."""
    if card.mode == "exact":
        return f"exact: the labels of {card.program} in the whole CT"
    if card.bfloat16_evidence is None:
        return "fast, in single precision"
    least = min((row["dice"] for row in card.bfloat16_evidence.figures.values()), default=0.0)
    precision = "bfloat16" if card.bfloat16 else "single precision"
    return f"fast, in {precision}: the least Dice of bfloat16 with single precision is {least:.4f}"


def _evidence(card: ImportedCard) -> list[tuple[str, str]]:
    """What proves the orientation, as rows of the table."""
    found = card.orientation_evidence
    if found is None:
        return []
    figures = ", ".join(
        f"{organ} {dice:.2f}" for organ, dice in found.dice[card.orientation].items()
    )
    rows = [("compared on", found.ct), (f"Dice as {card.orientation}", figures)]
    if len(found.agreeing) > 1:
        rows.append(("agree, too", ", ".join(o for o in found.agreeing if o != card.orientation)))
    return rows


def _labels(card: ImportedCard, organ: str, others: Mapping[str, str]) -> str:
    contour = card.contour(organ)
    words = ", ".join(f"{label} {card.labels[label]}" for label in contour.labels)
    side = f", {contour.side} part" if contour.side else ""
    other = f"; {others[organ]}" if organ in others else ""
    return f"label {words}{side}{other}"
