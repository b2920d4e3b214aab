"""The organs of an imported network on one CT: where it runs, and a field for each organ.

Surfaces lie where an organ's logit equals the greatest of the others', so that neighbours meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
import torch
from scipy import ndimage, special

from oarflow.geometry import Grid
from oarflow.masks import bounding_box
from oarflow.networks.imported.activation import logit_margin
from oarflow.networks.imported.card import ImportedCard, OrganLabels
from oarflow.networks.imported.exact import LabelVoxels, exact_labels
from oarflow.networks.imported.fast import BoxLogits, box_logits
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.imported.voxel_map import voxel_map
from oarflow.networks.precision import has_bfloat16
from oarflow.segmentation.components import keep_largest
from oarflow.segmentation.midline import middle_mm, on_side
from oarflow.segmentation.pasting import cropped
from oarflow.segmentation.patches import Bounds, localized_box
from oarflow.structures import Localization, ProbabilityField
from oarflow.types import Box, FloatVoxels, Mask
from oarflow.volume import Volume

LEVEL = 0.5
"""Value of a field at the organ's surface."""

SPECK_SHARE = 0.02
"""Components smaller than this share of the organ's largest one do not widen the box in which its
field is computed: a network's specks lie anywhere in the searched part."""

ROOM_MM = 20.0
"""Margin in mm around the localized organs."""

BeforeTile = Callable[[], None]


@dataclass(frozen=True, eq=False)
class ImportedOrgans:
    """An imported network on one CT. It runs once, when the first organ is asked for.

    localizations: by organ. orientation: read the CT as if the training images lay so. exact: label
    every voxel as nnU-Net does, so that surfaces follow the CT's voxels. None: as the card says.
    bfloat16: whether fast inference multiplies in it; None: if the card allows it and the processor
    has it.
    before_tile: called before every tile; an exception from it ends the run.
    """

    volume: Volume
    network: ImportedNetwork
    localizations: Mapping[str, Localization]
    orientation: str | None = None
    exact: bool | None = None
    bfloat16: bool | None = None

    def field(self, organ: str, before_tile: BeforeTile = lambda: None) -> ProbabilityField:
        """One organ's field on the CT. Raises KeyError for an organ of another network."""
        contour = self.card.contour(organ)
        if self.card.mode == "exact" if self.exact is None else self.exact:
            field = self._exact_field(contour, before_tile)
        else:
            field = self._fast_field(contour, self._run(before_tile))
        if contour.side is None:
            return field
        middle = middle_mm(self.volume, self.localizations)
        return on_side(field, self.volume.grid, contour.side, middle)

    @property
    def card(self) -> ImportedCard:
        return self.network.card

    @property
    def _in_bfloat16(self) -> bool:
        if self.bfloat16 is None:
            return self.card.bfloat16 and has_bfloat16()
        return self.bfloat16

    @cached_property
    def _results(self) -> dict[str, BoxLogits | LabelVoxels]:
        return {}

    def _run(self, before_tile: BeforeTile) -> BoxLogits:
        found = self._results.get("logits")
        if found is None:
            grid, card = self.volume.grid, self.card
            voxels = voxel_map(self.volume.hu, grid, card, self.orientation)
            bounds = search_bounds(grid, card, self.localizations)
            box = voxels.network_box(bounds)
            found = box_logits(
                self.volume.hu,
                self.network,
                voxels,
                box,
                bfloat16=self._in_bfloat16,
                before_each=before_tile,
            )
            self._results["logits"] = found
        assert isinstance(found, BoxLogits)
        return found

    def _exact_field(self, contour: OrganLabels, before_tile: BeforeTile) -> ProbabilityField:
        labels = self._results.get("labels")
        if labels is None:
            labels = exact_labels(
                self.volume.hu,
                self.volume.grid,
                self.network,
                orientation=self.orientation,
                before_each=before_tile,
            )
            self._results["labels"] = labels
        assert isinstance(labels, np.ndarray)
        mask = np.isin(labels, contour.labels)
        return ProbabilityField.of_mask(mask) if mask.any() else _empty()

    def _fast_field(self, contour: OrganLabels, logits: BoxLogits) -> ProbabilityField:
        field = self._margin_field(contour.labels, logits)
        for rule in self.card.postprocessing:
            if not set(rule.labels) & set(contour.labels) or not field.mask.any():
                continue
            if set(rule.labels) == set(contour.labels):
                field = keep_largest(field, field)
            else:
                field = keep_largest(field, self._margin_field(rule.labels, logits))
        return field

    def _margin_field(self, labels: tuple[int, ...], logits: BoxLogits) -> ProbabilityField:
        ct = logits.around(without_specks(won(logits, self.card, labels)))
        if ct is None:
            return _empty()
        if self.card.regions is None:
            rivals = logits.rivals(labels, ct)
            margin = margin_of(labels, rivals, lambda head: logits.on_ct(head, ct))
        else:
            margin = region_margin(labels, self.card.regions, lambda head: logits.on_ct(head, ct))
        values = special.expit(logit_margin(margin, self.card))
        start = (ct[0].start, ct[1].start, ct[2].start)
        field = cropped(values, start, LEVEL)
        return replace(field, clipped=_clipped(field, logits))


def search_bounds(
    grid: Grid, card: ImportedCard, localizations: Mapping[str, Localization]
) -> Bounds:
    """The part of the CT in mm along (z, y, x) in which a network runs.

    The boxes of its organs where the localizer knows all of them; else those of the card's crop
    rule, if one is in the CT; else the whole CT.
    """
    whole = [
        (float(grid.axis_mm(axis)[0]) - step / 2, float(grid.axis_mm(axis)[-1]) + step / 2)
        for axis, step in enumerate(grid.spacing_zyx)
    ]
    margin, names = ROOM_MM, card.organs
    if any(organ not in localizations for organ in card.organs):
        margin, names = card.crop.margin_mm, card.crop.organs
    found = [localizations[name] for name in names if name in localizations]
    boxes = [localized_box(grid, item) for item in found if item.present]
    if not boxes:
        return whole[0], whole[1], whole[2]
    z, y, x = (
        (
            max(end[0], min(box[axis][0] for box in boxes) - margin),
            min(end[1], max(box[axis][1] for box in boxes) + margin),
        )
        for axis, end in enumerate(whole)
    )
    return z, y, x


def margin_of(
    labels: Iterable[int], rivals: Iterable[int], logit: Callable[[int], FloatVoxels]
) -> FloatVoxels:
    """How far the labels' logits lie above the rivals', voxel by voxel; positive inside.

    logit: one head's logits; called for one head after another, so that few are held at once.
    """
    inside, rival = (reduce(np.maximum, map(logit, heads)) for heads in (labels, rivals))
    return np.asarray(inside - rival)


def region_margin(
    labels: tuple[int, ...], regions: tuple[int, ...], logit: Callable[[int], FloatVoxels]
) -> FloatVoxels:
    """As margin_of, for a network of regions.

    Later regions are painted over earlier ones: a voxel has the label of the last that is on.
    """
    margin: FloatVoxels | None = None
    for head, label in enumerate(regions):
        found = logit(head)
        if margin is None:
            margin = found if label in labels else np.full_like(found, -np.inf)
        elif label in labels:
            margin = np.maximum(margin, found)
        else:
            margin = np.minimum(margin, -found)
    assert margin is not None
    return margin


def won(logits: BoxLogits, card: ImportedCard, labels: tuple[int, ...]) -> Mask:
    """bool (z, y, x) of the network's voxels where the labels have the greatest logit.

    Of a network of regions: where a region is on that paints one of the labels.
    """
    if card.regions is None:
        heads, level = list(labels), logits.best
    else:
        heads = [head for head, label in enumerate(card.regions) if label in labels]
        level = torch.zeros((), dtype=logits.values.dtype)
    found = torch.zeros(logits.values.shape[1:], dtype=torch.bool)
    for head in heads:
        found |= logits.values[head] >= level
    return np.asarray(found.numpy())


def without_specks(found: Mask) -> Mask:
    """A mask without components below `SPECK_SHARE` of the largest one."""
    if not found.any():
        return found
    box = bounding_box(found)
    labels, count = ndimage.label(found[box], np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = np.zeros_like(found)
    kept[box] = (sizes >= SPECK_SHARE * sizes.max())[labels] & (labels > 0)
    return kept if count > 1 else found


def _clipped(field: ProbabilityField, logits: BoxLogits) -> bool:
    """Whether the organ reaches the end of the searched box although the CT continues."""
    if not field.mask.any():
        return False
    searched: Box = logits.voxels.ct_box(logits.box)
    return any(
        (side.start <= limit.start > ct.start) or (side.stop >= limit.stop < ct.stop)
        for side, limit, ct in zip(field.mask_box, searched, logits.voxels.inside, strict=True)
    )


def _empty() -> ProbabilityField:
    return ProbabilityField(np.zeros((1, 1, 1), dtype=np.float32), (0, 0, 0), LEVEL)
