"""Contours of fast inference beside exact labels: in the searched part and on the whole CT."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oarflow.compare.overlap import dice
from oarflow.compare.surfaces import surface_distances
from oarflow.masks import bounding_box
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.imported.voxel_map import voxel_map
from oarflow.segmentation.imported import ImportedOrgans, search_bounds
from oarflow.structures import Localization
from oarflow.types import Box, Mask
from oarflow.volume import Volume


@dataclass(frozen=True)
class DiceAndDistance:
    """Dice, mean surface distance in mm (nan where one is empty)."""

    dice: float
    mean_mm: float


@dataclass(frozen=True)
class FastAgreement:
    """One organ on one CT. outside: voxels that exact inference labels outside the searched part.

    volume_cc: of the exact label.
    """

    ct: str
    organ: str
    volume_cc: float
    searched: DiceAndDistance
    whole: DiceAndDistance
    outside: int


def fast_agreement(
    title: str,
    volume: Volume,
    localizations: Mapping[str, Localization],
    path: Path,
    card: ImportedCard,
) -> list[FastAgreement]:
    """Every organ of a network on one CT, both without mirroring. title: of the CT."""
    network = ImportedNetwork(path, card.model_copy(update={"mirror_axes": ()}), "cpu")
    fast, exact = (
        ImportedOrgans(volume, network, localizations, exact=mode, bfloat16=False)
        for mode in (False, True)
    )
    grid = volume.grid
    voxels = voxel_map(volume.hu, grid, card)
    box = voxels.ct_box(voxels.network_box(search_bounds(grid, card, localizations)))
    found = []
    for organ in card.organs:
        ours, truth = (organs.field(organ).full_mask(grid.shape) for organs in (fast, exact))
        if not truth.any() and not ours.any():
            continue
        found.append(
            FastAgreement(
                ct=title,
                organ=organ,
                volume_cc=exact.field(organ).volume_cc(grid),
                searched=overlap(ours[box], truth[box], grid.spacing_zyx),
                whole=overlap(ours, truth, grid.spacing_zyx),
                outside=int(truth.sum() - truth[box].sum()),
            )
        )
    return found


def overlap(ours: Mask, truth: Mask, spacing_zyx: tuple[float, float, float]) -> DiceAndDistance:
    """Both masks compared. The empty margin around them, which changes nothing, is left out."""
    if not (ours.any() and truth.any()):
        return DiceAndDistance(dice(ours, truth), math.nan)
    box = _with_margin(bounding_box(ours | truth), ours.shape)
    distances = surface_distances(ours[box], truth[box], spacing_zyx)
    return DiceAndDistance(dice(ours, truth), distances.mean())


def _with_margin(box: Box, shape: tuple[int, ...]) -> Box:
    z, y, x = (
        slice(max(0, side.start - 1), min(size, side.stop + 1))
        for side, size in zip(box, shape, strict=True)
    )
    return z, y, x
