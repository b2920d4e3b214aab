"""Blocks of one organ for its 3-D network."""

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
    lost_ends,
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


class BlockSampler:
    """Blocks of one organ for its 3-D network: jittered centres, along the whole organ."""

    def __init__(self, cases: Sequence[TrainingCase], configuration: Configuration) -> None:
        self._organ = configuration.organs[0]
        self._cases = [case for case in cases if self._organ in case.masks]
        if not self._cases:
            raise ValueError(f"no training case has {self._organ}")
        self._centres = [case.centroid_mm(self._organ) for case in self._cases]
        self._ranges = [case.range_mm(self._organ) for case in self._cases]
        self._configuration = configuration
        self._partly = partly_labelled(self._cases)
        z, y, x = (
            centred_axis(0.0, count, step)
            for count, step in zip(
                configuration.patch_voxels, configuration.spacing_mm, strict=True
            )
        )
        self._axes = (z, y, x)

    def draw(self, random: np.random.Generator) -> SampleBatch:
        drawn = [self._draw_one(random) for _ in range(self._configuration.batch)]
        inputs, targets, known = (torch.stack(list(part)) for part in zip(*drawn, strict=True))
        return SampleBatch(inputs[:, None], targets, known)

    def _draw_one(self, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        number = int(random.integers(len(self._cases)))
        case = self._cases[number]
        centre = self._centres[number].copy()
        centre[0] = self._height(self._ranges[number], random)
        centre = centre + random.normal(0, 1, 3) * self._configuration.jitter_mm
        plain = self._configuration.augmentation == "none"
        pose = Pose.straight(centre) if plain else Pose.random(centre, random)
        block = sample_ct(case, pose, self._axes)
        ignored = sample_ignored(case, pose, self._axes, partly=self._partly)
        masks = torch.cat((sample_mask(case, self._organ, pose, self._axes)[None], ignored))
        if not plain:
            if random.random() < SHARE_CROPPED:
                block, masks = crop_field(block, masks, random)
            if random.random() < SHARE_LOST_PLANES:
                block, masks = lost_ends(block, masks, random)
            block = change_image(block, random)
        known = known_where(LABELLED, masks[1:])
        return scale_window(block, self._configuration.window), masks[:1], known

    def _height(self, ends: tuple[float, float], random: np.random.Generator) -> float:
        """The block's middle along z: the organ's own where it fits, anywhere along it else."""
        low, high = ends
        play = (high - low - self._configuration.patch_mm[0]) / 2 + self._configuration.beyond_mm
        return (low + high) / 2 + float(random.uniform(-1, 1)) * max(0.0, play)
