"""Runs networks on patches of one study, and returns probability fields on the CT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.networks.backend import TorchScriptNetwork
from oarflow.networks.card import ModelCard
from oarflow.networks.preprocessing import Images, input_batch
from oarflow.networks.tiles import tiled
from oarflow.segmentation.pasting import paste_field
from oarflow.segmentation.patches import Patch, localized_patch, restricted_to
from oarflow.structures import Localization, ProbabilityField
from oarflow.types import FloatVoxels

GROWTH_MM = 48.0
"""A patch whose border the organ touches is enlarged by this length, and its network runs again."""

MAX_PATCH_GROWTHS = 2
"""How often a patch may be enlarged."""

BESIDE = 2
"""Planes beyond the organ's ends that are predicted a second time, too."""

MOST_PLANES = 24
"""Of more planes, every second one is predicted a second time."""

SHIFT_VOXELS = (2.5, -4.5, 3.5)
"""Shift of a patch in voxels (z, y, x) for the second run of its network; z for 3-D only."""

BeforeBatch = Callable[[], None]
"""Called before each batch of a network; an exception from it ends the prediction."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """A network's result for a patch. values: (organs, planes or z, y, x) probabilities.

    second: the same network on a shifted patch; None without a second look.
    """

    patch: Patch
    values: FloatVoxels
    second: SecondLook | None = None


@dataclass(frozen=True, eq=False)
class SecondLook:
    """The same network's probabilities on a shifted patch.

    planes: those of the first prediction that were predicted again; None for all.
    """

    prediction: Prediction
    planes: NDArray[np.intp] | None


@dataclass(frozen=True, eq=False)
class Predictor:
    """Runs networks on one study. grid: of the CT and of all images."""

    grid: Grid
    images: Images

    def predict(
        self, network: TorchScriptNetwork, patch: Patch, side: float, before_batch: BeforeBatch
    ) -> Prediction:
        """The network's probabilities on a patch. side: 1 left or -1 right, for a sided network."""
        card = network.card
        batch = input_batch(self.images, card, patch.grid, side)
        if card.dimensions == 2:
            values = np.moveaxis(network.probabilities(batch, before_batch), 1, 0)
        elif card.region_from.source == "volume" and min(card.patch_mm) > 0:
            z, y, x = (
                -(-round(extent / step) // card.multiple) * card.multiple
                for extent, step in zip(card.patch_mm, card.spacing_mm, strict=True)
            )
            values = tiled(network, batch, (z, y, x), before_batch)
        else:
            values = network.probabilities(batch, before_batch)[0]
        return Prediction(patch, values)

    def predict_around(
        self,
        network: TorchScriptNetwork,
        localizations: Sequence[Localization],
        side: float,
        before_batch: BeforeBatch,
    ) -> Prediction:
        """Predict a patch around localizations; enlarge it if an organ touches its border."""
        grown_mm = 0.0
        while True:
            patch = localized_patch(self.grid, localizations, network.card, grown_mm)
            found = self.predict(network, patch, side, before_batch)
            enough = grown_mm >= MAX_PATCH_GROWTHS * GROWTH_MM
            if enough or not _touches_border(found.values, network.card.threshold):
                return found
            grown_mm += GROWTH_MM

    def with_second_look(
        self,
        prediction: Prediction,
        network: TorchScriptNetwork,
        side: float,
        before_batch: BeforeBatch,
    ) -> Prediction:
        """The prediction together with that of its shifted patch.

        A 2-D network looks a second time at the planes on which it found an organ and beside, at
        every second one if they are many. There is no second look where it found nothing.
        """
        planes = None
        patch = prediction.patch
        found = np.flatnonzero((prediction.values >= network.card.threshold).any(axis=(0, 2, 3)))
        if not found.size:
            return prediction
        if patch.slices is not None:
            first = max(0, int(found[0]) - BESIDE)
            stop = min(len(patch.slices), int(found[-1]) + 1 + BESIDE)
            planes = np.arange(first, stop, 2 if stop - first > MOST_PLANES else 1)
            patch = patch.of_planes(planes)
        patch = patch.moved(SHIFT_VOXELS, network.card)
        second = SecondLook(self.predict(network, patch, side, before_batch), planes)
        return replace(prediction, second=second)

    def field(self, prediction: Prediction, card: ModelCard, organ: str) -> ProbabilityField:
        """One organ's field on the CT, with its steadiness and whether it is clipped."""
        field = self._pasted(prediction, card, organ)
        if prediction.second is not None and field.mask.any():
            field = replace(field, steadiness=self._steadiness(prediction, card, organ))
        if prediction.patch.box is not None:
            return field
        return replace(field, clipped=_clipped(field, prediction.patch, self.grid))

    def _steadiness(self, prediction: Prediction, card: ModelCard, organ: str) -> float:
        """Dice of both looks, on the planes that were predicted twice."""
        second = prediction.second
        assert second is not None
        if second.planes is None:
            one = self._pasted(prediction, card, organ)
            return one.dice(self._pasted(second.prediction, card, organ))
        patch = prediction.patch.of_planes(second.planes)
        first = Prediction(patch, prediction.values[:, second.planes])
        one, other = (
            self._pasted(look, card, organ, on_planes=True) for look in (first, second.prediction)
        )
        return one.dice(other)

    def _pasted(
        self, prediction: Prediction, card: ModelCard, organ: str, *, on_planes: bool = False
    ) -> ProbabilityField:
        """The field on the CT. on_planes: on the prediction's own planes, as if they followed each
        other in the CT."""
        patch = prediction.patch
        slices = patch.slices if on_planes or patch.every_slice else None
        values = prediction.values[card.output(organ)].astype(np.float32, copy=False)
        field = paste_field(values, patch.grid, self.grid, slices, card.threshold)
        return field if patch.box is None else restricted_to(patch.box, self.grid, field)


def _touches_border(values: FloatVoxels, threshold: float) -> bool:
    """Whether any organ reaches the in-plane border of its patch. values: (organs, z, y, x)."""
    inside = values >= threshold
    return bool(inside[:, :, (0, -1), :].any() or inside[:, :, :, (0, -1)].any())


def _clipped(field: ProbabilityField, patch: Patch, grid: Grid) -> bool:
    """Whether the organ reaches the patch's last voxels although the CT continues beyond them."""
    if not field.mask.any():
        return False
    low, high = grid.box_ends_mm(field.mask_box)
    for axis, seen in enumerate(patch.grid.axes):
        extent = grid.axis_mm(axis)
        step = 0.99 * grid.spacing_zyx[axis]
        if extent[0] < seen[0] and low[axis] < seen[0] + step:
            return True
        if extent[-1] > seen[-1] and high[axis] > seen[-1] - step:
            return True
    return False
