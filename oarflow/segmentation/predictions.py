"""Runs networks on patches of one study, and returns probability fields on the CT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

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

SHIFT_VOXELS = (2.5, -4.5, 3.5)
"""Shift of a patch in voxels (z, y, x) for the second run of its network; z for 3-D only."""

BeforeBatch = Callable[[], None]
"""Called before each batch of a network; an exception from it ends the prediction."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """A network's result for a patch. values: (organs, planes or z, y, x) probabilities.

    shifted: the prediction of the same patch, shifted; None without a second run.
    """

    patch: Patch
    values: FloatVoxels
    shifted: Prediction | None = None


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

    def with_shifted(
        self,
        prediction: Prediction,
        network: TorchScriptNetwork,
        side: float,
        before_batch: BeforeBatch,
    ) -> Prediction:
        """The prediction together with that of its shifted patch."""
        patch = prediction.patch.moved(SHIFT_VOXELS, network.card)
        return replace(prediction, shifted=self.predict(network, patch, side, before_batch))

    def field(self, prediction: Prediction, card: ModelCard, organ: str) -> ProbabilityField:
        """One organ's field on the CT, with its steadiness and whether it is clipped."""
        field = self._pasted(prediction, card, organ)
        if prediction.shifted is not None and field.mask.any():
            steadiness = field.dice(self._pasted(prediction.shifted, card, organ))
            field = replace(field, steadiness=steadiness)
        if prediction.patch.box is not None:
            return field
        return replace(field, clipped=_clipped(field, prediction.patch, self.grid))

    def _pasted(self, prediction: Prediction, card: ModelCard, organ: str) -> ProbabilityField:
        patch = prediction.patch
        values = prediction.values[card.output(organ)].astype(np.float32, copy=False)
        field = paste_field(values, patch.grid, self.grid, patch.slices, card.threshold)
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
