"""Samples read from a training patient on the grid that a network sees."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oarflow.networks.sampling import AIR_HU
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.labels import LabelBlock

UNTOUCHED = 1e-3
"""A voxel of a sample is known where at most this share of it was not labelled."""

LABELLED = torch.ones(1, dtype=torch.bool)
"""The one organ of a sampler that draws only from patients who have its label."""


@dataclass(frozen=True, eq=False)
class Pose:
    """How a sample's grid lies in the patient: centre (z, y, x) mm and a (3, 3) linear map."""

    centre_mm: NDArray[np.float64]
    linear: NDArray[np.float64]

    @classmethod
    def random(
        cls,
        centre_mm: NDArray[np.float64],
        random: np.random.Generator,
        degrees: tuple[float, float, float] = (10.0, 6.0, 6.0),
        scale: float = 0.1,
    ) -> Pose:
        """Turned about z, y, x (standard deviations in degrees) and scaled; never mirrored."""
        angles = np.deg2rad(random.normal(0.0, 1.0, 3) * np.asarray(degrees))
        linear = np.eye(3)
        for axis, angle in enumerate(angles):
            first, second = (other for other in range(3) if other != axis)
            turn = np.eye(3)
            turn[first, first] = turn[second, second] = np.cos(angle)
            turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
            linear = linear @ turn
        whole = np.exp(random.normal(0.0, scale / 2))
        return cls(centre_mm, linear * whole * np.exp(random.normal(0.0, scale / 3, 3)))

    @classmethod
    def straight(cls, centre_mm: NDArray[np.float64]) -> Pose:
        """Neither turned nor scaled."""
        return cls(centre_mm, np.eye(3))


def sample(
    values: NDArray[np.generic],
    spacing_mm: NDArray[np.float64],
    pose: Pose,
    axes_mm: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    outside: float,
) -> Tensor:
    """float32 (z, y, x), values read linearly at the grid of axes (mm about the pose's centre)."""
    shape = tuple(len(axis) for axis in axes_mm)
    linear, centre = pose.linear / spacing_mm[:, None], pose.centre_mm / spacing_mm
    ends = [np.outer((axis.min(), axis.max()), linear[:, k]) for k, axis in enumerate(axes_mm)]
    low = np.floor(centre + sum(end.min(axis=0) for end in ends)).astype(int)
    high = np.ceil(centre + sum(end.max(axis=0) for end in ends)).astype(int) + 1
    low, high = np.maximum(low, 0), np.minimum(high, values.shape)
    if np.any(high <= low):
        return torch.full(shape, outside)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    block = torch.from_numpy(values[box].astype(np.float32) - outside)[None, None]
    scale = 2.0 / np.maximum(high - low - 1, 1)
    first, *rest = (np.outer(axis, linear[:, k] * scale)[:, ::-1] for k, axis in enumerate(axes_mm))
    first = first + ((centre - low) * scale - 1)[::-1]
    z, y, x = (torch.from_numpy(part.astype(np.float32)) for part in (first, *rest))
    grid = z[:, None, None] + y[:, None] + x
    read = torch.nn.functional.grid_sample(
        block, grid[None], mode="bilinear", padding_mode="zeros", align_corners=True
    )
    return read[0, 0] + outside


def sample_ct(case: TrainingCase, pose: Pose, axes_mm: tuple[NDArray[np.float64], ...]) -> Tensor:
    """float32 (z, y, x) HU of a case on a sample's grid."""
    z, y, x = axes_mm
    return sample(case.ct, case.spacing_mm, pose, (z, y, x), AIR_HU)


def sample_mask(
    case: TrainingCase, organ: str, pose: Pose, axes_mm: tuple[NDArray[np.float64], ...]
) -> Tensor:
    """float32 (z, y, x), 0 to 1, the share of a label on a sample's grid."""
    return sample_label(case, case.masks.block(organ), pose, axes_mm)


def sample_label(
    case: TrainingCase, label: LabelBlock, pose: Pose, axes_mm: tuple[NDArray[np.float64], ...]
) -> Tensor:
    """The same of a label that is the case's or a part of one."""
    z, y, x = axes_mm
    moved = Pose(pose.centre_mm - np.asarray(label.first) * case.spacing_mm, pose.linear)
    return sample(label.inside, case.spacing_mm, moved, (z, y, x), 0.0)


def partly_labelled(cases: Collection[TrainingCase]) -> bool:
    """Whether some case has unlabelled voxels."""
    return any(case.ignored is not None for case in cases)


def sample_ignored(
    case: TrainingCase, pose: Pose, axes_mm: tuple[NDArray[np.float64], ...], *, partly: bool
) -> Tensor:
    """float32 (1, z, y, x), the unlabelled share; (0, z, y, x) where not partly."""
    shape = tuple(len(axis) for axis in axes_mm)
    if not partly:
        return torch.zeros(0, *shape)
    if case.ignored is None:
        return torch.zeros(1, *shape)
    return sample_label(case, case.ignored, pose, axes_mm)[None]


def known_where(labelled: Tensor, ignored: Tensor) -> Tensor:
    """What of a sample is known: (organs,) bool, or (organs, ...) where some voxels are not.

    labelled: (organs,) bool. ignored: (0, ...) or (1, ...), the unlabelled share.
    """
    if not len(ignored):
        return labelled
    spread = labelled.reshape(-1, *([1] * (ignored.ndim - 1)))
    return spread & (ignored <= UNTOUCHED)
