"""Planes for a 2-D network that reads a patch around its organs."""

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
    lost_planes,
)
from oarflow.training.configuration import Configuration
from oarflow.training.data.batches import SampleBatch
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.resampling import (
    Pose,
    known_where,
    partly_labelled,
    sample_ct,
    sample_ignored,
    sample_mask,
)
from oarflow.training.data.windowing import scale_window

Axes = tuple[NDArray[np.float64], ...]

SHARE_BEYOND = 0.25
"""Share of the samples drawn beyond the organs' ends."""

SHARE_MIRRORED = 0.5
"""Share of mirrored samples, if the configuration mirrors."""


class PlaneSampler:
    """Planes of a network's organs: jittered centres, planes beyond both ends.

    The patches of several organs are centred between those that the patient has contours of.
    """

    def __init__(self, cases: Sequence[TrainingCase], configuration: Configuration) -> None:
        self._organs = configuration.organs
        self._cases = [case for case in cases if any(organ in case.masks for organ in self._organs)]
        if not self._cases:
            raise ValueError(f"no training case has {', '.join(self._organs)}")
        self._centres = [
            np.mean([case.centroid_mm(organ) for organ in self._labelled(case)], axis=0)
            for case in self._cases
        ]
        self._ranges = [self._range(case) for case in self._cases]
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
        labels = [self._mask(case, organ, pose, axes) for organ in self._organs]
        masks = torch.cat((*labels, ignored))
        if not plain:
            if random.random() < SHARE_CROPPED:
                planes, masks = crop_field(planes, masks, random)
            if random.random() < SHARE_LOST_PLANES:
                planes = lost_planes(planes, random)
            planes = change_image(planes, random)
        targets, ignored = masks[: len(labels)], masks[len(labels) :]
        labelled = torch.tensor([organ in case.masks for organ in self._organs])
        if self._configuration.mirror and not plain and random.random() < SHARE_MIRRORED:
            planes, targets, ignored = planes.flip(-1), targets.flip(0, -1), ignored.flip(-1)
            labelled = labelled.flip(0)
        known = known_where(labelled, ignored)
        return scale_window(planes, self._configuration.window), targets, known

    def _labelled(self, case: TrainingCase) -> list[str]:
        return [organ for organ in self._organs if organ in case.masks]

    def _range(self, case: TrainingCase) -> tuple[float, float]:
        """The lowest and highest mm of the labelled organs."""
        lows, highs = zip(*map(case.range_mm, self._labelled(case)), strict=True)
        return min(lows), max(highs)

    def _mask(self, case: TrainingCase, organ: str, pose: Pose, axes: Axes) -> Tensor:
        """(1, y, x) share of the organ; zeros where the patient has no contour of it."""
        if organ not in case.masks:
            return torch.zeros(1, len(self._y), len(self._x))
        return sample_mask(case, organ, pose, axes)

    def _plane(self, ends: tuple[float, float], random: np.random.Generator) -> float:
        low, high = ends
        if random.random() < SHARE_BEYOND:
            beyond = random.uniform(0, self._configuration.beyond_mm)
            return float(low - beyond if random.random() < 0.5 else high + beyond)
        return float(random.uniform(low, high))
