"""Whether two ways of running an imported network give the same contours on a CT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from oarflow.compare.overlap import dice
from oarflow.compare.surfaces import surface_distances
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.segmentation.imported import ImportedOrgans
from oarflow.structures import Localization
from oarflow.volume import Volume

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


def bfloat16_agrees(
    volume: Volume, network: ImportedNetwork, localizations: Mapping[str, Localization]
) -> bool:
    """Whether bfloat16 gives the contours of single precision; False where no organ can tell."""
    single = ImportedOrgans(volume, network, localizations, bfloat16=False)
    found = contour_agreement(single, replace(single, bfloat16=True)).values()
    told = any(figures.volume_cc >= LEAST_CC for figures in found)
    return told and all(figures.holds for figures in found)
