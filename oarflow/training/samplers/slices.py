"""Batches of CT slices: one organ's labelled ones (SLICE), or whole ones with all organs (RESU)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oarflow.networks.sampling import centred_axis
from oarflow.training.batches import Batch
from oarflow.training.cases import (
    Pose,
    TrainingCase,
    known_where,
    partly_labelled,
    require_labels,
    sample_ct,
    sample_ignored,
    sample_mask,
)
from oarflow.training.configuration import Configuration
from oarflow.training.crops import Crop, crop_of, cut, cut_ignored, cut_mask
from oarflow.training.deformation import deform


def scale_window(hu: Tensor, window: tuple[float, float]) -> Tensor:
    """HU to -1..1 within the window, as the application does it."""
    low, high = window
    return (hu.clamp(low, high) - low) / (high - low) * 2 - 1


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

    def draw(self, random: np.random.Generator) -> Batch:
        configuration = self._configuration
        chosen = random.integers(len(self._crops), size=configuration.batch)
        drawn = [self._crops[number] for number in chosen]
        images = torch.cat([cut(case, crop, configuration) for case, crop in drawn])
        masks = torch.cat([cut_mask(case, crop, configuration) for case, crop in drawn])
        one = torch.ones(1, dtype=torch.bool)
        known = torch.stack(
            [
                known_where(one, cut_ignored(case, crop, configuration, partly=self._partly)[:, 0])
                for case, crop in drawn
            ]
        )
        return Batch(scale_window(images, configuration.window), masks, known)


def _labelled(case: TrainingCase, organ: str, configuration: Configuration) -> list[Crop]:
    """A crop of one plane for each plane on which the organ fills a pixel of the crop by half."""
    whole = crop_of(case, organ, configuration)
    filled = cut_mask(case, whole, configuration).amax(dim=(1, 2, 3)) >= 0.5
    planes = whole.first + np.flatnonzero(filled.numpy())
    return [replace(whole, first=int(plane), last=int(plane)) for plane in planes]


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

    def draw(self, random: np.random.Generator) -> Batch:
        chosen = random.choice(len(self._planes), size=self._configuration.batch, p=self._shares)
        triples = [self._sample(self._planes[number], random) for number in chosen]
        images, masks, known = (torch.stack(part) for part in zip(*triples, strict=True))
        return Batch(images, masks, known)

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
