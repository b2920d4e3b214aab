"""Organ-specific crops, archived so that what a network finds in one goes back to its place.

SLICE, section 2: a crop lies about the organ's centre in a patch of a standard size; the archive
holds where. The full-slice baseline is the same with the slice itself as the crop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oarflow.networks.sampling import centred_axis, paste, paste_weights
from oarflow.tables import write_csv
from oarflow.training.configuration import Configuration
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.resampling import Pose, sample_ct, sample_ignored, sample_mask


@dataclass(frozen=True)
class Crop:
    """Where a network looked: planes first..last of a case (inclusive), about (y, x) in mm.

    edge_mm: of the square patch. Positions count from the CT's first voxel.
    """

    case: str
    organ: str
    first: int
    last: int
    y_mm: float
    x_mm: float
    edge_mm: float


def crop_of(case: TrainingCase, organ: str, configuration: Configuration) -> Crop:
    """The planes on which an organ is labelled, about its centre or the slice's own."""
    mask = case.masks[organ]
    planes = np.flatnonzero(mask.any(axis=(1, 2)))
    if configuration.region == "slice":
        y, x = (
            (n - 1) / 2 * step for n, step in zip(mask.shape[1:], case.spacing_mm[1:], strict=True)
        )
    else:
        _, y, x = case.centroid_mm(organ)
    edge = configuration.patch_mm[1]
    return Crop(case.name, organ, int(planes[0]), int(planes[-1]), float(y), float(x), edge)


def cut(case: TrainingCase, crop: Crop, configuration: Configuration) -> Tensor:
    """float32 (planes, channels, y, x) HU of the crop's planes at the configuration's spacing."""
    y, x = _axes(crop, configuration)
    planes = []
    for plane in range(crop.first, crop.last + 1):
        centre = np.array([plane * case.spacing_mm[0], crop.y_mm, crop.x_mm])
        offsets = np.asarray(configuration.offsets_mm)
        planes.append(sample_ct(case, Pose.straight(centre), (offsets, y, x)))
    return torch.stack(planes)


def cut_mask(case: TrainingCase, crop: Crop, configuration: Configuration) -> Tensor:
    """float32 (planes, 1, y, x), 0 to 1, of the crop's organ."""
    y, x = _axes(crop, configuration)
    centre = np.array([0.0, crop.y_mm, crop.x_mm])
    z = np.arange(crop.first, crop.last + 1) * case.spacing_mm[0]
    return sample_mask(case, crop.organ, Pose.straight(centre), (z, y, x))[:, None]


def cut_ignored(
    case: TrainingCase, crop: Crop, configuration: Configuration, *, partly: bool
) -> Tensor:
    """float32 (1, planes, y, x), the unlabelled share; (0, ...) where not partly."""
    y, x = _axes(crop, configuration)
    centre = np.array([0.0, crop.y_mm, crop.x_mm])
    z = np.arange(crop.first, crop.last + 1) * case.spacing_mm[0]
    return sample_ignored(case, Pose.straight(centre), (z, y, x), partly=partly)


def paste_back(
    values: NDArray[np.float32], crop: Crop, case: TrainingCase, configuration: Configuration
) -> NDArray[np.float32]:
    """float32 (z, y, x) on the CT's grid, zero elsewhere, of values (planes, y, x) in a crop."""
    y, x = _axes(crop, configuration)
    rows, columns = (
        np.arange(n) * step for n, step in zip(case.ct.shape[1:], case.spacing_mm[1:], strict=True)
    )
    field = np.zeros(case.ct.shape, dtype=np.float32)
    weights = (None, paste_weights(y + crop.y_mm, rows), paste_weights(x + crop.x_mm, columns))
    field[crop.first : crop.last + 1] = paste(values, weights)
    return field


def write_crops(crops: Iterable[Crop], path: Path) -> None:
    """The archive: CSV, a row a crop."""
    write_csv(path, [field.name for field in fields(Crop)], (astuple(crop) for crop in crops))


def _axes(crop: Crop, configuration: Configuration) -> tuple[NDArray[np.float64], ...]:
    _, height, width = configuration.patch_voxels
    return (
        centred_axis(0.0, height, configuration.spacing_mm[1]),
        centred_axis(0.0, width, configuration.spacing_mm[2]),
    )
