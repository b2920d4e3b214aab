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
from oarflow.organs import load_catalogue
from oarflow.tables import text_table

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
    kept = _kept_by_others(assignment, cards)
    crop = crop_rule(flags.crop_organs, flags.crop_margin, catalogue, cards)
    mode: InferenceMode = "exact" if flags.exact else "fast"
    statement = Statement(
        name, flags.orientation, flags.licence, flags.commercial, crop=crop, mode=mode
    )
    content, card = convert(found, statement, assignment.contours)
    card = with_proof(card, content, flags.probe)
    write_network(target, content, card)
    sys.stdout.write(import_summary(target, found, card, assignment, kept))
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


def _kept_by_others(assignment: Assignment, cards: dict[str, Card]) -> dict[str, str]:
    """By organ, the network that goes on contouring it. Refuses organs of imported networks."""
    kept = {}
    for contour in assignment.contours:
        for name, card in cards.items():
            if contour.organ not in card.organs or card.role != "segmenter":
                continue
            if isinstance(card, ImportedCard):
                raise NotImportedError(
                    f"the imported network {name} already contours {contour.organ}: leave it out"
                    " with --organs map.yaml, or remove that network"
                )
            kept[contour.organ] = name
    return kept


def import_summary(
    target: Path,
    found: ResultFolder,
    card: ImportedCard,
    assignment: Assignment,
    kept: dict[str, str],
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
        *((organ, _labels(card, organ, kept)) for organ in card.organs),
    ]
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


def _labels(card: ImportedCard, organ: str, kept: dict[str, str]) -> str:
    contour = card.contour(organ)
    words = ", ".join(f"{label} {card.labels[label]}" for label in contour.labels)
    side = f", {contour.side} part" if contour.side else ""
    other = f"; not used: {kept[organ]} contours it" if organ in kept else ""
    return f"label {words}{side}{other}"
