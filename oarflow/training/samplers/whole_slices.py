"""Whole slices with all organs (RESU, section 4.2.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oarflow.networks.sampling import centred_axis
from oarflow.training.augmentation.deformation import deform
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


class WholeSliceSampler:
    """Slices of the whole patient with all organs, near labelled ones (RESU, section 4.2.1).

    Weighted mixup draws a slice by the sum, over its organs, of the inverse number of slices that
    hold the organ: rare organs come as often as frequent ones.
    """

    def __init__(self, cases: Sequence[TrainingCase], configuration: Configuration) -> None:
        self._configuration = configuration
        self._organs = configuration.organs
        self._cases = [case for case in cases if any(o in case.masks for o in self._organs)]
        require_labels(cases, self._organs)
        self._partly = partly_labelled(self._cases)
        _, height, width = configuration.patch_voxels
        self._y = centred_axis(0.0, height, configuration.spacing_mm[1])
        self._x = centred_axis(0.0, width, configuration.spacing_mm[2])
        self._planes, present = self._list_planes()
        self._shares = self._weigh(present)

    def __len__(self) -> int:
        """How many samples make an epoch."""
        return len(self._planes)

    @property
    def shares(self) -> NDArray[np.float64]:
        """How often each plane is drawn; they sum to one."""
        return self._shares

    def draw(self, random: np.random.Generator) -> SampleBatch:
        chosen = random.choice(len(self._planes), size=self._configuration.batch, p=self._shares)
        triples = [self._sample(self._planes[number], random) for number in chosen]
        images, masks, known = (torch.stack(part) for part in zip(*triples, strict=True))
        return SampleBatch(images, masks, known)

    def _list_planes(self) -> tuple[list[tuple[int, int]], NDArray[np.bool_]]:
        """(case, plane) of every plane near a label, and which organs each holds."""
        planes, present = [], []
        for number, case in enumerate(self._cases):
            organs = [organ for organ in self._organs if organ in case.masks]
            holds = np.zeros((case.ct.shape[0], len(self._organs)), dtype=bool)
            for organ in organs:
                holds[:, self._organs.index(organ)] = case.masks[organ].any(axis=(1, 2))
            used = np.flatnonzero(holds.any(axis=1))
            beyond = int(self._configuration.beyond_mm / case.spacing_mm[0])
            first, last = max(0, used[0] - beyond), min(len(holds) - 1, used[-1] + beyond)
            for plane in range(first, last + 1):
                planes.append((number, plane))
                present.append(holds[plane])
        return planes, np.asarray(present)

    def _weigh(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        if self._configuration.mixup != "weighted":
            return np.full(len(present), 1 / len(present))
        weights = present @ (1 / np.maximum(present.sum(axis=0), 1))
        return np.asarray(weights / weights.sum())

    def _sample(
        self, place: tuple[int, int], random: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        number, plane = place
        case = self._cases[number]
        middle = (np.asarray(case.ct.shape) - 1) / 2 * case.spacing_mm
        centre = middle + random.normal(0, 1, 3) * self._configuration.jitter_mm
        centre[0] = plane * case.spacing_mm[0]
        pose = Pose.straight(centre)
        offsets = np.asarray(self._configuration.offsets_mm)
        image = sample_ct(case, pose, (offsets, self._y, self._x))
        masks = self._masks(case, pose)
        if self._configuration.augmentation == "deformation":
            image, masks = deform(image, masks, random)
        labelled = torch.tensor([organ in case.masks for organ in self._organs])
        known = known_where(labelled, masks[len(labelled) :])
        return scale_window(image, self._configuration.window), masks[: len(labelled)], known

    def _masks(self, case: TrainingCase, pose: Pose) -> Tensor:
        """(organs, y, x) shares, with what was not labelled behind."""
        axes = (np.zeros(1), self._y, self._x)
        empty = torch.zeros(1, len(self._y), len(self._x))
        return torch.cat(
            [
                sample_mask(case, organ, pose, axes) if organ in case.masks else empty
                for organ in self._organs
            ]
            + [sample_ignored(case, pose, axes, partly=self._partly)[:, 0]]
        )
