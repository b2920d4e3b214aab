"""Planes of one organ for its 2-D network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from oarflow.networks.sampling import centred_axis
from oarflow.training.augmentation.clinic import (
    SHARE_CROPPED,
    SHARE_LOST_PLANES,
    change_image,
    crop_field,
    lost_planes,
)
from oarflow.training.configuration import Configuration
from oarflow.training.data.batches import SampleBatch
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.resampling import (
    LABELLED,
    Pose,
    known_where,
    partly_labelled,
    sample_ct,
    sample_ignored,
    sample_mask,
)
from oarflow.training.data.windowing import scale_window

SHARE_BEYOND = 0.25
"""Share of an organ's samples drawn beyond its ends."""


class PlaneSampler:
    """Planes of one organ for its 2-D network: jittered centres, planes beyond both ends."""

    def __init__(self, cases: Sequence[TrainingCase], configuration: Configuration) -> None:
        self._organ = configuration.organs[0]
        self._cases = [case for case in cases if self._organ in case.masks]
        if not self._cases:
            raise ValueError(f"no training case has {self._organ}")
        self._centres = [case.centroid_mm(self._organ) for case in self._cases]
        self._ranges = [case.range_mm(self._organ) for case in self._cases]
        self._configuration = configuration
        self._partly = partly_labelled(self._cases)
        _, height, width = configuration.patch_voxels
        self._y = centred_axis(0.0, height, configuration.spacing_mm[1])
        self._x = centred_axis(0.0, width, configuration.spacing_mm[2])
        self._z = np.asarray(configuration.offsets_mm)

    def draw(self, random: np.random.Generator) -> SampleBatch:
        drawn = [self._draw_one(random) for _ in range(self._configuration.batch)]
        inputs, targets, known = (torch.stack(list(part)) for part in zip(*drawn, strict=True))
        return SampleBatch(inputs, targets, known)

    def _draw_one(self, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        number = int(random.integers(len(self._cases)))
        case = self._cases[number]
        centre = self._centres[number] + random.normal(0, 1, 3) * self._configuration.jitter_mm
        centre[0] = self._plane(self._ranges[number], random)
        plain = self._configuration.augmentation == "none"
        pose = Pose.straight(centre) if plain else Pose.random(centre, random)
        planes = sample_ct(case, pose, (self._z, self._y, self._x))
        axes = (np.zeros(1), self._y, self._x)
        ignored = sample_ignored(case, pose, axes, partly=self._partly)[:, 0]
        masks = torch.cat((sample_mask(case, self._organ, pose, axes), ignored))
        if not plain:
            if random.random() < SHARE_CROPPED:
                planes, masks = crop_field(planes, masks, random)
            if random.random() < SHARE_LOST_PLANES:
                planes = lost_planes(planes, random)
            planes = change_image(planes, random)
        known = known_where(LABELLED, masks[1:])
        return scale_window(planes, self._configuration.window), masks[:1], known

    def _plane(self, ends: tuple[float, float], random: np.random.Generator) -> float:
        low, high = ends
        if random.random() < SHARE_BEYOND:
            beyond = random.uniform(0, self._configuration.beyond_mm)
            return float(low - beyond if random.random() < 0.5 else high + beyond)
        return float(random.uniform(low, high))
