"""Masks and CTs as SimpleITK images. The extra `sitk` brings SimpleITK, imported on use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid

if TYPE_CHECKING:
    import SimpleITK

UNEVEN_MM = 0.1
"""Greatest distance, in mm, of a slice from its place in an evenly spaced image. Headers rounded to
a tenth of a millimetre stay below it."""


def sitk_image(mask: NDArray[np.bool_], grid: Grid) -> SimpleITK.Image:
    """A mask (z, y, x) on a grid as an image in patient space (LPS, mm): uint8, 0 and 1.

    Raises ValueError where the slices are unevenly spaced, ImportError without the extra `sitk`.
    """
    return _placed(np.asarray(mask, dtype=np.uint8), grid)


def ct_image(hu: NDArray[np.float32], grid: Grid) -> SimpleITK.Image:
    """HU (z, y, x) on a grid as an image in patient space (LPS, mm): float32.

    Raises ValueError where the slices are unevenly spaced, ImportError without the extra `sitk`.
    """
    return _placed(hu, grid)


def _placed(voxels: NDArray[Any], grid: Grid) -> SimpleITK.Image:
    import SimpleITK  # a quarter of a gigabyte

    image = SimpleITK.GetImageFromArray(voxels)
    _, y_mm, x_mm = grid.spacing_zyx
    image.SetSpacing((x_mm, y_mm, _even_step_mm(grid)))
    image.SetOrigin(tuple(float(value) for value in grid.positions_lps[0]))
    axes = np.stack([grid.x_direction, grid.y_direction, grid.normal], axis=1)
    image.SetDirection(tuple(float(value) for value in axes.ravel()))
    return image


def _even_step_mm(grid: Grid) -> float:
    """The one slice distance of an image; 1 mm for a single slice."""
    offsets = grid.offsets_mm
    if len(offsets) < 2:
        return 1.0
    step = float(offsets[-1]) / (len(offsets) - 1)
    away = float(np.abs(offsets - step * np.arange(len(offsets))).max())
    if away > UNEVEN_MM:
        gaps = np.diff(offsets)
        raise ValueError(
            f"slices are {gaps.min():.2f} to {gaps.max():.2f} mm apart, but a SimpleITK image has "
            "one spacing: use the mask and the grid"
        )
    return step
