"""Exact inference: the label that nnU-Net or MONAI itself gives to every voxel.

Same crop, resampling, tiles, mirroring and precision of sums. Logits return to the CT's grid class
by class, so that all classes never exist at the CT's size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.networks.imported.activation import REGION_LEVEL, activated
from oarflow.networks.imported.card import ImportedCard, LargestComponent
from oarflow.networks.imported.even import even_slices
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.imported.orientation import AxisOrder, grid_orientation
from oarflow.networks.imported.preprocessing import ReadRegion, normalized, read_region
from oarflow.networks.imported.resampling import resampled
from oarflow.networks.imported.tiles import plan_tiles, spanned
from oarflow.types import FloatVoxels, Mask, Triple

LabelVoxels = NDArray[np.uint8]
"""A label for each voxel, (z, y, x)."""


def exact_labels(
    values: FloatVoxels,
    grid: Grid,
    network: ImportedNetwork,
    *,
    orientation: str | None = None,
    mirroring: bool = True,
    postprocessing: bool = True,
    before_each: Callable[[], None] = lambda: None,
) -> LabelVoxels:
    """uint8 (z, y, x) labels on the CT's grid.

    values: HU (z, y, x) on that grid.
    orientation: read the CT as if the network's training images lay so; None: as its card says.
    mirroring: along the card's axes. before_each: called before every tile.
    """
    card = network.card
    axes = AxisOrder.between(
        grid_orientation(grid), orientation or card.orientation, card.transpose
    )
    even = even_slices(grid.offsets_mm)
    hu = axes.into(even.onto(values))
    spacing: Triple = axes.lengths((even.step_mm, *grid.spacing_yx))
    region = read_region(hu, spacing, card)
    plan = plan_tiles(region.shape, card)
    data = spanned(network_input(hu, region, card), plan)
    logits = network.logits(data, plan, mirroring=mirroring, before_each=before_each)
    labels = np.zeros(hu.shape, dtype=np.uint8)
    labels[region.box] = painted(logits, region, card)
    labels = even.back(np.ascontiguousarray(axes.back(labels)))
    return largest_components(labels, card.postprocessing if postprocessing else ())


def network_input(hu: FloatVoxels, region: ReadRegion, card: ImportedCard) -> FloatVoxels:
    """float32 input values of a whole CT. hu: in the network's axes."""
    values = np.ascontiguousarray(hu[region.box])
    grids = region.shape, region.spacing_mm, region.target_mm, card.image_resampling
    if card.resampled == "whole hu":
        exact = resampled(values.astype(np.float64), *grids)
        return normalized(np.trunc(exact).astype(np.float32), card.normalization)
    if card.resampled == "hu":
        return normalized(resampled(values, *grids), card.normalization)
    return resampled(normalized(values, card.normalization), *grids)


def painted(
    logits: NDArray[np.floating[Any]], region: ReadRegion, card: ImportedCard
) -> LabelVoxels:
    """Labels of the region's voxels on the CT, one class after another."""
    values = activated(torch.from_numpy(logits), card).numpy()

    def at_full_size(head: int) -> NDArray[Any]:
        return resampled(
            values[head], region.size, region.target_mm, region.spacing_mm, card.logits_resampling
        )

    labels = np.zeros(region.size, dtype=np.uint8)
    if card.regions is not None:
        for head, label in enumerate(card.regions):
            labels[_on(at_full_size(head), card)] = label
        return labels
    best = at_full_size(0).copy()
    for head in range(1, card.heads):
        found = at_full_size(head)
        wins = found > best
        labels[wins] = head
        best[wins] = found[wins]
    return labels


def _on(values: NDArray[Any], card: ImportedCard) -> Mask:
    """Where a region is. At exactly `REGION_LEVEL`, MONAI's is and nnU-Net's is not."""
    if card.activation == "sigmoid":
        return np.asarray(values >= 0)
    probability = torch.sigmoid(torch.from_numpy(values).float())
    reached = probability >= REGION_LEVEL
    if card.program == "nnU-Net":
        reached &= probability != REGION_LEVEL
    return np.asarray(reached.numpy())


def largest_components(labels: LabelVoxels, rules: tuple[LargestComponent, ...]) -> LabelVoxels:
    """Labels after post-processing: of several components of equal size, all stay."""
    for rule in rules:
        mask = np.isin(labels, rule.labels)
        numbers, count = ndimage.label(mask, np.ones((3, 3, 3)))
        if count > 1:
            sizes = np.bincount(numbers.ravel())
            sizes[0] = 0
            labels = np.where(mask & (sizes[numbers] < sizes.max()), np.uint8(0), labels)
    return labels
