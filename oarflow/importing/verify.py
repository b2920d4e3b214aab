"""`oarflow models verify NAME`: an imported network beside the program that trained it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oarflow.compare.overlap import dice
from oarflow.compare.surfaces import surface_distances
from oarflow.importing.errors import NotVerifiedError
from oarflow.importing.export import write_card
from oarflow.importing.nnunet.convert import FORM
from oarflow.importing.nnunet.other_program import OtherLabels, nnunet_labels
from oarflow.importing.own_organs import OwnOrgans, localized
from oarflow.networks.backend import choose_device
from oarflow.networks.card import CARD_NAME, NETWORK_NAME
from oarflow.networks.imported.card import ImportedCard, OrganLabels, Verification
from oarflow.networks.imported.exact import LabelVoxels, largest_components
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.segmentation.imported import ImportedOrgans
from oarflow.segmentation.midline import middle_mm, on_side
from oarflow.structures import ProbabilityField
from oarflow.tables import text_table
from oarflow.types import Mask

FIGURES = ("dice", "mean_surface_distance_mm")


@dataclass(frozen=True)
class Comparison:
    """What the user names. folder: the result folder; None for the one that was imported."""

    case: Path
    python: Path
    folder: Path | None = None


def verify(place: Path, card: ImportedCard, asked: Comparison) -> None:
    """Predict a CT with both programs, write the figures onto the card, and print them.

    place: the network's folder. Raises NotVerifiedError, Refusal, ConfigurationError, OSError,
    ValueError where the CT's slices are unevenly spaced.
    """
    if card.source.form != FORM:
        raise NotVerifiedError(
            f"{card.name} is a {card.source.form}: only networks of nnU-Net can be compared so;"
            " compare the contours of both programs with `oarflow evaluate compare`"
        )
    folder = asked.folder or (Path(card.source.folder) if card.source.folder else None)
    if folder is None:
        raise NotVerifiedError("the card names no result folder: name it with --folder")
    network = ImportedNetwork(place / NETWORK_NAME, card, choose_device("auto"))
    scene = localized(asked.case)
    other = nnunet_labels(asked.python, folder, card, scene.volume)
    found = compared(network, scene, other)
    kept = (
        one for one in card.verification if (one.against, one.data) != (found.against, found.data)
    )
    write_card(place / CARD_NAME, card.model_copy(update={"verification": (*kept, found)}))
    sys.stdout.write(_table(found))


def compared(network: ImportedNetwork, scene: OwnOrgans, other: OtherLabels) -> Verification:
    """Figures of each organ: contours as a run writes them, against the other program's labels."""
    card, grid = network.card, scene.volume.grid
    labels = largest_components(other.labels, card.postprocessing)
    organs = ImportedOrgans(scene.volume, network, scene.localizations)
    figures = {}
    for contour in card.contours:
        mine = organs.field(contour.organ).full_mask(grid.shape)
        theirs = _mask(labels, contour, scene)
        if not mine.any() and not theirs.any():
            continue
        row = {"dice": dice(mine, theirs)}
        if mine.any() and theirs.any():
            row["mean_surface_distance_mm"] = surface_distances(
                mine, theirs, grid.spacing_zyx
            ).mean()
        figures[contour.organ] = {name: round(value, 4) for name, value in row.items()}
    return Verification(against=f"nnunetv2 {other.version}", data=scene.ct, figures=figures)


def _mask(labels: LabelVoxels, contour: OrganLabels, scene: OwnOrgans) -> Mask:
    mask = np.isin(labels, contour.labels)
    if contour.side is None or not mask.any():
        return mask
    middle = middle_mm(scene.volume, scene.localizations)
    field = on_side(ProbabilityField.of_mask(mask), scene.volume.grid, contour.side, middle)
    return field.full_mask(mask.shape)


def _table(found: Verification) -> str:
    rows = [
        (organ, *(f"{row[name]:.3f}" if name in row else "-" for name in FIGURES))
        for organ, row in found.figures.items()
    ]
    title = f"against {found.against}, on {found.data}\n"
    if not rows:
        return title + "neither program found an organ\n"
    return title + text_table(("organ", "Dice", "mean surface distance (mm)"), rows) + "\n"
