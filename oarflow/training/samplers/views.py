"""Planes of any view for C2F's coarse networks, all organs at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from oarflow.networks.card import View
from oarflow.networks.preprocessing import PLANES
from oarflow.networks.sampling import centred_axis
from oarflow.training.augmentation.clinic import change_image
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

ROOM_MM = 15.0
"""Planes are drawn up to this far beyond an organ's ends."""

SHARE_ANYWHERE = 0.3


class ViewSampler:
    """Axial, coronal or sagittal planes; each organ comes equally often (C2F, III.A and IV.C).

    patch_mm's extent across the view is 0. Turned and shifted, as in the paper.
    """

    def __init__(self, cases: Sequence[TrainingCase], configuration: Configuration) -> None:
        self._organs = configuration.organs
        require_labels(cases, self._organs)
        self._partly = partly_labelled(cases)
        self._with = {organ: [c for c in cases if organ in c.masks] for organ in self._organs}
        self._configuration = configuration
        self._across = PLANES[View(configuration.view)]
        z, y, x = (
            centred_axis(0.0, count, step)
            for count, step in zip(
                configuration.patch_voxels, configuration.spacing_mm, strict=True
            )
        )
        self._axes = (z, y, x)
        self._planes = sum(case.ct.shape[self._across] for case in cases)

    def __len__(self) -> int:
        """Planes of all patients: an epoch."""
        return int(self._planes)

    def draw(self, random: np.random.Generator) -> SampleBatch:
        """(n, channels, ...) planes; the other two axes keep their order."""
        drawn = [self._draw_one(random) for _ in range(self._configuration.batch)]
        images, masks, known = (torch.stack(list(part)) for part in zip(*drawn, strict=True))
        return SampleBatch(images, masks, known)

    def _draw_one(self, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        organ = self._organs[int(random.integers(len(self._organs)))]
        case = self._with[organ][int(random.integers(len(self._with[organ])))]
        extent = np.asarray(case.ct.shape) * case.spacing_mm
        centre = extent / 2 + random.normal(0, 1, 3) * self._configuration.jitter_mm
        centre[self._across] = self._plane(case, organ, random)
        plain = self._configuration.augmentation == "none"
        pose = Pose.straight(centre) if plain else Pose.random(centre, random)
        axes = list(self._axes)
        axes[self._across] = np.asarray(self._configuration.offsets_mm)
        planes = sample_ct(case, pose, tuple(axes)).movedim(self._across, 0)
        axes[self._across] = np.zeros(1)
        labelled = torch.tensor([organ in case.masks for organ in self._organs])
        ignored = sample_ignored(case, pose, tuple(axes), partly=self._partly)
        known = known_where(labelled, ignored.squeeze(self._across + 1))
        masks = [
            sample_mask(case, name, pose, tuple(axes)).squeeze(self._across)
            if name in case.masks
            else torch.zeros(planes.shape[1:])
            for name in self._organs
        ]
        if not plain:
            planes = change_image(planes, random)
        return scale_window(planes, self._configuration.window), torch.stack(masks), known

    def _plane(self, case: TrainingCase, organ: str, random: np.random.Generator) -> float:
        step = float(case.spacing_mm[self._across])
        if random.random() < SHARE_ANYWHERE:
            return float(random.uniform(0, case.ct.shape[self._across] * step))
        others = tuple(axis for axis in range(3) if axis != self._across)
        used = np.flatnonzero(case.masks[organ].any(axis=others)) * step
        return float(random.uniform(used[0] - ROOM_MM, used[-1] + ROOM_MM))
