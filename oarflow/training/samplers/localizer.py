"""Planes or blocks of the whole patient for a localizer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oarflow.networks.sampling import centred_axis
from oarflow.training.augmentation.clinic import (
    SHARE_CROPPED,
    SHARE_LOST_PLANES,
    change_image,
    crop_field,
    lost_ends,
    lost_planes,
)
from oarflow.training.configuration import Configuration
from oarflow.training.data.batches import SampleBatch
from oarflow.training.data.cases import TrainingCase, require_labels
from oarflow.training.data.resampling import (
    Pose,
    known_where,
    partly_labelled,
    sample_ct,
    sample_ignored,
    sample_mask,
)
from oarflow.training.data.windowing import scale_window

SHARE_ANYWHERE = 0.3
"""Share of the localizer's samples drawn anywhere in the patient."""


class LocalizerSampler:
    """Planes or blocks for a localizer, or for a segmenter of several organs on whole slices.

    Each organ comes equally often, labelled or not.
    """

    def __init__(self, cases: Sequence[TrainingCase], configuration: Configuration) -> None:
        self._cases = cases
        self._organs = configuration.organs
        require_labels(cases, self._organs)
        self._with = {organ: [c for c in cases if organ in c.masks] for organ in self._organs}
        self._configuration = configuration
        self._partly = partly_labelled(cases)
        depth, height, width = configuration.patch_voxels
        self._y = centred_axis(0.0, height, configuration.spacing_mm[1])
        self._x = centred_axis(0.0, width, configuration.spacing_mm[2])
        if configuration.dimensions == 2:
            self._z = np.asarray(configuration.offsets_mm)
            self._z_target = np.zeros(1)
        else:
            self._z = self._z_target = centred_axis(0.0, depth, configuration.spacing_mm[0])
        self._centres: dict[str, NDArray[np.float64]] = {}

    def draw(self, random: np.random.Generator) -> SampleBatch:
        first = int(random.integers(len(self._organs)))
        triples = [self._draw_one(first + k, random) for k in range(self._configuration.batch)]
        return SampleBatch(
            torch.stack([image for image, _, _ in triples]),
            torch.stack([masks for _, masks, _ in triples]),
            torch.stack([known for _, _, known in triples]),
        )

    def _draw_one(self, number: int, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        organ = self._organs[number % len(self._organs)]
        some = self._with[organ]
        case = some[int(random.integers(len(some)))]
        centre = self._body_centre(case) + random.normal(0, 1, 3) * self._configuration.jitter_mm
        low, high = case.range_mm(organ)
        if random.random() < SHARE_ANYWHERE:
            low, high = 0.0, float(case.ct.shape[0] * case.spacing_mm[0])
        centre[0] = random.uniform(low - 10, high + 10)
        plain = self._configuration.augmentation == "none"
        pose = (
            Pose.straight(centre) if plain else Pose.random(centre, random, degrees=(6.0, 4.0, 4.0))
        )
        planes = sample_ct(case, pose, (self._z, self._y, self._x))
        masks, labelled = self._targets(case, pose)
        if not plain:
            planes, masks = self._damage(planes, masks, random)
            planes = change_image(planes, random)
        planes = scale_window(planes, self._configuration.window)
        if self._configuration.dimensions == 2:
            masks = masks[:, 0]
        else:
            planes = planes[None]
        count = len(self._organs)
        return planes, masks[:count], known_where(labelled, masks[count:])

    def _targets(self, case: TrainingCase, pose: Pose) -> tuple[Tensor, Tensor]:
        """(organs, z, y, x) shares, the unlabelled one behind them; (organs,) which are there."""
        axes = (self._z_target, self._y, self._x)
        labelled = torch.tensor([organ in case.masks for organ in self._organs])
        empty = torch.zeros(len(self._z_target), len(self._y), len(self._x))
        masks = [
            sample_mask(case, organ, pose, axes) if organ in case.masks else empty
            for organ in self._organs
        ]
        ignored = sample_ignored(case, pose, axes, partly=self._partly)
        return torch.cat((torch.stack(masks), ignored)), labelled

    def _damage(
        self, planes: Tensor, masks: Tensor, random: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        if random.random() < SHARE_CROPPED:
            flat = masks.reshape(-1, *masks.shape[2:])
            planes, flat = crop_field(planes, flat, random)
            masks = flat.reshape(masks.shape)
        if random.random() < 2 * SHARE_LOST_PLANES:
            if self._configuration.dimensions == 3:
                return lost_ends(planes, masks, random)
            planes = lost_planes(planes, random)
        return planes, masks

    def _body_centre(self, case: TrainingCase) -> NDArray[np.float64]:
        if case.name not in self._centres:
            inside = np.argwhere(case.ct[::4, ::2, ::2] > -300) * (4, 2, 2)
            self._centres[case.name] = np.asarray(inside.mean(axis=0) * case.spacing_mm)
        return self._centres[case.name].copy()
