"""A CT on another matrix, for studies of a size that was not scanned; a case on coarser voxels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.datasets.cases import Case, LazyMasks
from oarflow.intake import read_volume
from oarflow.types import Mask


def resampled(ct_folder: Path, matrix: int, slices: int, name: str = "resampled") -> Case:
    """The CT of a folder on `slices` slices of `matrix` x `matrix`, over the same field of view.

    Values are interpolated linearly. Nothing of the patient is kept but the voxels. Raises Refusal
    where the folder is no CT, ValueError where its slices are unevenly spaced or not axial.
    """
    volume = read_volume(ct_folder).volume
    grid = volume.grid
    steps = np.diff(grid.offsets_mm)
    if len(steps) and np.ptp(steps) > 0.01 * float(steps.mean()):
        raise ValueError("the slices are unevenly spaced")
    frame = np.stack((grid.x_direction, grid.y_direction, grid.normal))
    if not np.allclose(frame, np.eye(3), atol=1e-3):
        raise ValueError("the series is not axial")
    old_mm = np.array(grid.spacing_zyx)
    old_shape = np.array(grid.shape)
    shape = np.array((slices, matrix, matrix))
    new_mm = old_mm * old_shape / shape
    shift = (new_mm - old_mm) / 2
    hu = _interpolated(volume.hu, old_mm, shape, new_mm, shift)
    x, y, z = (float(mm) for mm in grid.positions_lps[0] + shift[::-1])
    return Case(
        name,
        np.rint(hu).astype(np.int16),
        (float(new_mm[0]), float(new_mm[1]), float(new_mm[2])),
        origin_lps=(x, y, z),
    )


def coarsened(case: Case, spacing_zyx: tuple[float, float, float]) -> Case:
    """A case's CT and masks on voxels of about this size (mm), over the same field of view.

    A voxel is a mean of those that it replaces; of a mask it holds what is at least half in it.
    """
    old_mm, old_shape = np.array(case.spacing_zyx), np.array(case.ct.shape)
    shape = np.maximum(1, np.rint(old_shape * old_mm / spacing_zyx)).astype(np.int64)
    new_mm = old_mm * old_shape / shape
    shift = (new_mm - old_mm) / 2
    replaced = np.maximum(1, np.rint(new_mm / old_mm)).astype(int)
    window = (2 * -(-replaced // 2) - 1).tolist()  # odd: an even one would move the image

    def averaged(values: NDArray[np.float32]) -> NDArray[np.float32]:
        means = ndimage.uniform_filter(values, window, mode="nearest")
        return _interpolated(means, old_mm, shape, new_mm, shift)

    def mask(values: Mask) -> Mask:
        return np.asarray(averaged(values.astype(np.float32)) >= 0.5)

    def touched(values: Mask) -> Mask:
        return np.asarray(averaged(values.astype(np.float32)) > 1e-3)

    ignored = case.read_ignored
    x, y, z = (float(mm) for mm in np.array(case.origin_lps) + shift[::-1])
    return Case(
        case.id,
        np.rint(averaged(case.ct.astype(np.float32))).astype(np.int16),
        (float(new_mm[0]), float(new_mm[1]), float(new_mm[2])),
        LazyMasks(tuple(case.masks), lambda organ: mask(case.masks[organ])),
        None if case.body is None else mask(case.body),
        (x, y, z),
        read_ignored=None if ignored is None else lambda: touched(ignored()),
    )


def _interpolated(
    hu: NDArray[np.float32],
    old_mm: NDArray[np.float64],
    shape: NDArray[np.int64],
    new_mm: NDArray[np.float64],
    shift_mm: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Values at other voxel centres, all arguments (z, y, x); the edge goes on by half a voxel."""
    itk: Any = SimpleITK  # its functions are untyped
    image = itk.GetImageFromArray(hu)
    image.SetSpacing(old_mm[::-1].tolist())
    target = itk.Image(shape[::-1].tolist(), itk.sitkFloat32)
    target.SetSpacing(new_mm[::-1].tolist())
    target.SetOrigin(shift_mm[::-1].tolist())
    moved = itk.Resample(
        image, target, itk.Transform(), itk.sitkLinear, -1024.0, itk.sitkFloat32, True
    )
    return np.asarray(itk.GetArrayFromImage(moved), dtype=np.float32)
