"""Blocks for 3-D networks of several organs, with a side or an MR beside the CT."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oarflow.networks.card import partner
from oarflow.networks.preprocessing import DARKEST
from oarflow.networks.sampling import centred_axis
from oarflow.training.augmentation.clinic import change_image
from oarflow.training.configuration import Configuration
from oarflow.training.data.batches import SampleBatch
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.labels import LabelBlock
from oarflow.training.data.resampling import (
    Pose,
    known_where,
    partly_labelled,
    sample,
    sample_ct,
    sample_ignored,
    sample_label,
)
from oarflow.training.data.windowing import scale_window
from oarflow.types import Box

SHARE_ANYWHERE = 0.3
"""Share of a whole-volume network's blocks drawn anywhere in the patient."""


class RegionSampler:
    """Blocks about a source organ's box (TWOSTEP) or anywhere along the organs (HANSEG).

    A network that reads the side sees each patient's sides as two patients.
    """

    def __init__(self, cases: Sequence[TrainingCase], configuration: Configuration) -> None:
        self._configuration = configuration
        self._sides = (1.0, -1.0) if "side" in configuration.images else (0.0,)
        self._drawn = [
            (case, side)
            for case in cases
            for side in self._sides
            if any(self._label(number, side) in case.masks for number in self._numbers)
            and (self._source(side) is None or self._source(side) in case.masks)
        ]
        if not self._drawn:
            raise ValueError(f"no training case has {', '.join(configuration.organs)}")
        self._partly = partly_labelled(cases)
        z, y, x = (
            centred_axis(0.0, count, step)
            for count, step in zip(
                configuration.patch_voxels, configuration.spacing_mm, strict=True
            )
        )
        self._axes = (z, y, x)

    @property
    def _numbers(self) -> range:
        return range(self._configuration.outputs)

    def _label(self, number: int, side: float) -> str:
        organs = self._configuration.organs
        name = organs[number + (self._configuration.outputs if side < 0 else 0)]
        return self._configuration.labels.get(name, name)

    def _source(self, side: float) -> str | None:
        source = self._configuration.source
        return source if source is None or side >= 0 else partner(source)

    def draw(self, random: np.random.Generator) -> SampleBatch:
        """(n, channels, z, y, x) blocks and (n, outputs, z, y, x) shares."""
        drawn = [self._draw_one(random) for _ in range(self._configuration.batch)]
        images, masks, known = (torch.stack(list(part)) for part in zip(*drawn, strict=True))
        return SampleBatch(images, masks, known)

    def _draw_one(self, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        case, side = self._drawn[int(random.integers(len(self._drawn)))]
        plain = self._configuration.augmentation == "none"
        centre = self._centre(case, side, random)
        pose = Pose.straight(centre) if plain else Pose.random(centre, random)
        image = self._image(case, side, pose, None if plain else random)
        labels = [self._label(number, side) for number in self._numbers]
        known = known_where(
            torch.tensor([label in case.masks for label in labels]),
            sample_ignored(case, pose, self._axes, partly=self._partly),
        )
        empty = torch.zeros(image.shape[1:])
        masks = [
            sample_label(case, self._limited(case, label, side), pose, self._axes)
            if label in case.masks
            else empty
            for label in labels
        ]
        return image, torch.stack(masks), known

    def _image(
        self, case: TrainingCase, side: float, pose: Pose, random: np.random.Generator | None
    ) -> Tensor:
        configuration = self._configuration
        channels = []
        for source in configuration.images:
            if source == "side":
                channels.append(torch.full([len(axis) for axis in self._axes], side))
            elif source == "ct":
                block = sample_ct(case, pose, self._axes)
                block = block if random is None else change_image(block, random)
                channels.append(scale_window(block, configuration.window))
            else:
                channels.append(scale_window(self._mr(case, pose, random), configuration.mr_window))
        return torch.stack(channels)

    def _mr(self, case: TrainingCase, pose: Pose, random: np.random.Generator | None) -> Tensor:
        """The MR in the block; its lowest value where there is none, or where it is dropped."""
        dropped = random is not None and random.random() < self._configuration.mr_dropout
        if case.mr is None or dropped:
            return torch.full([len(axis) for axis in self._axes], DARKEST)
        return sample(case.mr, case.spacing_mm, pose, self._axes, DARKEST)

    def _centre(
        self, case: TrainingCase, side: float, random: np.random.Generator
    ) -> NDArray[np.float64]:
        configuration = self._configuration
        jitter = random.normal(0, 1, 3) * configuration.jitter_mm
        source = self._source(side)
        if configuration.region == "organ" and source is not None:
            low, high = box_mm(case, source)
            return np.asarray((low + high) / 2 + jitter)
        if configuration.region == "volume" and random.random() < SHARE_ANYWHERE:
            return np.asarray(random.uniform(0, 1, 3) * case.ct.shape * case.spacing_mm)
        labels = [self._label(number, side) for number in self._numbers]
        there = [label for label in labels if label in case.masks]
        return case.centroid_mm(there[int(random.integers(len(there)))]) + jitter

    def _limited(self, case: TrainingCase, organ: str, side: float) -> LabelBlock:
        """A label, cut to the source organ's box where the configuration has one."""
        label, source = case.masks.block(organ), self._source(side)
        if source is None:
            return label
        return label.cut(box_about(case, source, self._configuration.grow_mm))


def box_mm(
    case: TrainingCase, organ: str, grow_mm: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last mm (z, y, x) of a label from outer edge to outer edge, grown on all sides."""
    inside = case.masks.block(organ).indices
    low = (inside.min(axis=0) - 0.5) * case.spacing_mm - grow_mm
    return low, (inside.max(axis=0) + 0.5) * case.spacing_mm + grow_mm


def box_about(case: TrainingCase, organ: str, grow_mm: float) -> Box:
    """The voxels whose centres lie in a label's box, grown by grow_mm on all sides."""
    low, high = box_mm(case, organ, grow_mm)
    box = []
    for axis, count in enumerate(case.ct.shape):
        where = np.arange(count) * case.spacing_mm[axis]
        used = np.flatnonzero((where >= low[axis]) & (where <= high[axis]))
        box.append(slice(int(used[0]), int(used[-1]) + 1))
    z, y, x = box
    return z, y, x
