"""`oarflow models import`: a trained network becomes a network of a models folder."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from oarflow.errors import ExitStatus
from oarflow.importing.crop import crop_rule
from oarflow.importing.errors import NotImportedError
from oarflow.importing.export import write_network
from oarflow.importing.nnunet.convert import Statement, convert
from oarflow.importing.nnunet.folder import ResultFolder, read_folder
from oarflow.importing.organ_map import Assignment, by_file, by_name
from oarflow.importing.orientation import with_proof
from oarflow.networks.cards import Card, read_cards
from oarflow.networks.imported.card import ImportedCard, InferenceMode
from oarflow.networks.rule_card import RuleCard, read_rules
from oarflow.organs import load_catalogue
from oarflow.tables import text_table

PREFER_WORDS = "`prefer` chooses the network of an organ, `second_opinion` compares two networks"

FOLDER_NAME = "[A-Za-z0-9][A-Za-z0-9_-]{0,59}"


def import_nnunet(flags: argparse.Namespace) -> int:
    """Import an nnU-Net result folder. Returns the exit status.

    Raises NotImportedError, Refusal, ConfigurationError, OSError.
    """
    found = read_folder(flags.folder, flags.folds)
    catalogue = load_catalogue(flags.models)
    structures = found.labels.values
    if flags.organs is None:
        assignment = by_name(structures, catalogue)
    else:
        assignment = by_file(flags.organs, structures, catalogue)
    name = flags.name or _name(found)
    target = new_folder(flags.models, name)
    cards = read_cards(flags.models)
    others = _others(assignment, cards, read_rules(flags.models))
    crop = crop_rule(flags.crop_organs, flags.crop_margin, catalogue, cards)
    mode: InferenceMode = "exact" if flags.exact else "fast"
    statement = Statement(
        name, flags.orientation, flags.licence, flags.commercial, crop=crop, mode=mode
    )
    content, card = convert(found, statement, assignment.contours)
    card = with_proof(card, content, flags.probe)
    write_network(target, content, card)
    sys.stdout.write(import_summary(target, found, card, assignment, others))
    return ExitStatus.WRITTEN


def _name(found: ResultFolder) -> str:
    """Of the data set and the configuration, such as Dataset001_HeadNeck_3d_fullres."""
    data_set = found.path.resolve().parent.name
    return re.sub("[^A-Za-z0-9_-]+", "_", f"{data_set}_{found.configured.name}")[:60]


def new_folder(models: Path, name: str) -> Path:
    """The folder of a new network. Raises NotImportedError where the name cannot be used."""
    if not re.fullmatch(FOLDER_NAME, name):
        raise NotImportedError(
            f"{name!r:.70} cannot be a folder's name: use letters, digits, _ and -"
        )
    if (models / name).exists():
        raise NotImportedError(
            f"{models / name} exists: remove it, or choose another name with --name"
        )
    return models / name


def _others(
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
    found: ResultFolder,
    card: ImportedCard,
    assignment: Assignment,
    others: dict[str, str],
) -> str:
    """What was imported, as a short table."""
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
    rows.extend(("note", remark) for remark in found.remarks)
    rows.append(("written to", str(target)))
    return text_table(("imported", target.name), rows) + "\n"


def _inference(card: ImportedCard) -> str:
    """How the network runs, and whether bfloat16 agreed with single precision."""
    if card.mode == "exact":
        return "exact: nnU-Net's labels of the whole CT"
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


def _labels(card: ImportedCard, organ: str, others: dict[str, str]) -> str:
    contour = card.contour(organ)
    words = ", ".join(f"{label} {card.labels[label]}" for label in contour.labels)
    side = f", {contour.side} part" if contour.side else ""
    other = f"; {others[organ]}" if organ in others else ""
    return f"label {words}{side}{other}"
