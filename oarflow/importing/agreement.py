"""Whether two ways of running an imported network give the same contours on a CT."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from oarflow.compare.overlap import dice
from oarflow.compare.surfaces import surface_distances
from oarflow.importing.own_organs import OwnOrgans
from oarflow.networks.imported.card import ImportedCard, Verification
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.segmentation.imported import ImportedOrgans

LEAST_DICE = 0.995
MOST_MM = 0.1
LEAST_CC = 2.0
"""Smaller organs are not compared: a few voxels decide their figures."""


@dataclass(frozen=True)
class ContourAgreement:
    """Dice and mean surface distance in mm of an organ's two contours. volume_cc: of the first."""

    dice: float
    mean_mm: float
    volume_cc: float

    @property
    def holds(self) -> bool:
        """Whether they are equal within the limits, or the organ is too small to tell."""
        return self.volume_cc < LEAST_CC or (self.dice >= LEAST_DICE and self.mean_mm < MOST_MM)

    @property
    def figures(self) -> dict[str, float]:
        """As a card holds them; without a distance where one of the contours is empty."""
        found = {"dice": round(self.dice, 4)}
        if math.isfinite(self.mean_mm):
            found["mean_surface_distance_mm"] = round(self.mean_mm, 4)
        return found


def contour_agreement(one: ImportedOrgans, other: ImportedOrgans) -> dict[str, ContourAgreement]:
    """By organ, how well two runs on the same CT agree."""
    grid = one.volume.grid
    found = {}
    for organ in one.card.organs:
        first, second = one.field(organ), other.field(organ)
        masks = first.full_mask(grid.shape), second.full_mask(grid.shape)
        distance = surface_distances(*masks, grid.spacing_zyx).mean()
        found[organ] = ContourAgreement(dice(*masks), distance, first.volume_cc(grid))
    return found


def with_bfloat16(card: ImportedCard, path: Path, own: OwnOrgans) -> ImportedCard:
    """The card with whether bfloat16 gives the contours of single precision on a CT.

    path: its model.ts. At least one organ must be large enough to tell.
    """
    network = ImportedNetwork(path, card, "cpu")
    single = ImportedOrgans(own.volume, network, own.localizations, exact=False, bfloat16=False)
    found = contour_agreement(single, replace(single, bfloat16=True))
    told = any(figures.volume_cc >= LEAST_CC for figures in found.values())
    evidence = Verification(
        against="OARflow in single precision",
        data=own.ct,
        figures={organ: figures.figures for organ, figures in found.items() if figures.volume_cc},
    )
    agrees = told and all(figures.holds for figures in found.values())
    return card.model_copy(update={"bfloat16": agrees, "bfloat16_evidence": evidence})
