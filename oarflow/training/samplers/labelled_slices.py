"""All slices that hold one organ, each drawn as it is (SLICE)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from oarflow.training.configuration import Configuration
from oarflow.training.data.batches import SampleBatch
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.crops import Crop, crop_of, cut, cut_ignored, cut_mask
from oarflow.training.data.resampling import LABELLED, known_where, partly_labelled
from oarflow.training.data.windowing import scale_window


class LabelledSliceSampler:
    """All slices that hold one organ, each drawn as it is (SLICE)."""

    def __init__(self, cases: Sequence[TrainingCase], configuration: Configuration) -> None:
        organ = configuration.organs[0]
        some = [case for case in cases if organ in case.masks]
        if not some:
            raise ValueError(f"no training case has {organ}")
        self._configuration = configuration
        self._partly = partly_labelled(some)
        self._crops = [
            (case, crop) for case in some for crop in _labelled(case, organ, configuration)
        ]

    def __len__(self) -> int:
        """How many samples make an epoch."""
        return len(self._crops)

    def draw(self, random: np.random.Generator) -> SampleBatch:
        configuration = self._configuration
        chosen = random.integers(len(self._crops), size=configuration.batch)
        drawn = [self._crops[number] for number in chosen]
        images = torch.cat([cut(case, crop, configuration) for case, crop in drawn])
        masks = torch.cat([cut_mask(case, crop, configuration) for case, crop in drawn])
        known = torch.stack(
            [
                known_where(
                    LABELLED, cut_ignored(case, crop, configuration, partly=self._partly)[:, 0]
                )
                for case, crop in drawn
            ]
        )
        return SampleBatch(scale_window(images, configuration.window), masks, known)


def _labelled(case: TrainingCase, organ: str, configuration: Configuration) -> list[Crop]:
    """A crop of one plane for each plane on which the organ fills a pixel of the crop by half."""
    whole = crop_of(case, organ, configuration)
    filled = cut_mask(case, whole, configuration).amax(dim=(1, 2, 3)) >= 0.5
    planes = whole.first + np.flatnonzero(filled.numpy())
    return [replace(whole, first=int(plane), last=int(plane)) for plane in planes]
