"""NRRD, NIfTI and other image files as arrays in patient space (LPS), by SimpleITK.

Both formats name their axes (RAS, LPS and so on); ITK turns all into LPS. Axes are then put in the
order (z, y, x) with index growing to the head, back and left, as far as the image's own directions
allow: an oblique image keeps its directions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from oarflow.datasets.cases import Voxels
from oarflow.datasets.grids import StoredGrid, lost_place, same_box
from oarflow.datasets.itk_files import read_turned
from oarflow.datasets.label_values import organ_mask
from oarflow.geometry import Grid
from oarflow.types import Mask
from oarflow.volume import Image

ENDINGS = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".nhdr", ".mha", ".mhd")
"""File name endings that are read, the longer ones first."""

AXIAL_TOLERANCE = 1e-3
"""Greatest deviation of a direction cosine from 0 or 1 in an axial image (0.06 degrees)."""

SAME_MM = 0.01
"""Corners of two grids that differ by less than this are one grid."""

_itk: Any = SimpleITK  # its functions are untyped


def stem(path: Path) -> str:
    """The file's name without its ending, `.seg.nrrd` and `.nii.gz` included.

    Raises ValueError where the ending is none that is read.
    """
    name = path.name.lower()
    for ending in ENDINGS:
        if name.endswith(ending):
            return path.name[: -len(ending)]
    raise ValueError(f"{path.name}: not one of {', '.join(ENDINGS)}")


def is_image(path: Path) -> bool:
    """Whether a file's name ends like an image's that is read, and it is not hidden."""
    return path.name.lower().endswith(ENDINGS) and not path.name.startswith(".")


def read_hu(path: Path) -> tuple[Voxels, Grid]:
    """A CT: HU as int16 where whole numbers of that range were stored, else float32; its grid.

    Raises ValueError where the file is no three-dimensional image of one channel.
    """
    image = read_turned(path)
    voxels = _itk.GetArrayFromImage(image)
    limits = np.iinfo(np.int16)
    whole = np.issubdtype(voxels.dtype, np.integer)
    if whole and voxels.min() >= limits.min and voxels.max() <= limits.max:
        return voxels.astype(np.int16), _grid(image)
    _check_numbers(voxels, path)
    return voxels.astype(np.float32), _grid(image)


def read_image(path: Path) -> Image:
    """An image of any unit, float32. Raises ValueError as `read_hu` does."""
    image = read_turned(path)
    voxels = np.asarray(_itk.GetArrayFromImage(image), dtype=np.float32)
    _check_numbers(voxels, path)
    return Image(voxels, _grid(image))


def read_grid(path: Path) -> Grid:
    """The grid of an image or a mask. Raises ValueError where it has not three dimensions."""
    return _grid(read_turned(path))


def read_mask(path: Path, grid: Grid) -> Mask:
    """One organ's mask on a grid of even spacing, bool (z, y, x).

    A file on another grid (one cropped to its segment, say) is put where it lies: each voxel takes
    the nearest one's value, and none beyond the file's edge.

    Raises ValueError where the file is no three-dimensional image, its values are no mask's
    (`organ_mask`), its header has lost its place, or the organ reaches beyond the grid.
    """
    image = read_turned(path)
    source = _grid(image)
    values = _itk.GetArrayFromImage(image)
    try:
        mask = organ_mask(values)
        stored, wanted = StoredGrid.of(source), StoredGrid.of(grid)
        if same_box(stored, wanted):
            return mask
        if reason := lost_place(stored, wanted) or _beyond(mask, source, grid):
            raise ValueError(f"{reason}. Mask: {stored}. CT: {wanted}")
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    return placed(mask, source, grid)


def _beyond(mask: Mask, source: Grid, target: Grid) -> str:
    """How much of a mask has no voxel of the target near it, in words; "" where all has."""
    inside = np.argwhere(mask)
    if not len(inside):
        return ""
    step = np.divide(source.spacing_zyx, target.spacing_zyx)
    room = 0.5 + step / 2 - 1e-3  # a voxel that touches the CT has one of the CT's beside it
    index = target.patient_to_index(source.index_to_patient(inside))
    outside = ((index < -room) | (index > np.array(target.shape) - 1 + room)).any(axis=1)
    if not outside.any():
        return ""
    return f"{outside.sum()} of its {len(inside)} voxels lie outside the CT"


def _check_numbers(voxels: NDArray[Any], path: Path) -> None:
    if not np.isfinite(voxels).all():
        raise ValueError(f"{path.name}: holds values that are no numbers")


def placed(mask: Mask, source: Grid, target: Grid) -> Mask:
    """A mask on another grid: the nearest voxel's value, False beyond its edge."""
    if same_grid(source, target):
        return mask
    image = _as_itk(mask.astype(np.uint8), source)
    moved = _itk.Resample(image, _blank(target), _itk.Transform(), _itk.sitkNearestNeighbor, 0)
    return np.asarray(_itk.GetArrayFromImage(moved), dtype=np.bool_)


def interpolated(image: Image, target: Grid, outside: float = 0.0) -> NDArray[np.float32]:
    """An image's values at another grid's voxels, linearly; `outside` beyond its edge."""
    if same_grid(image.grid, target):
        return image.voxels
    source = _as_itk(image.voxels, image.grid)
    moved = _itk.Resample(source, _blank(target), _itk.Transform(), _itk.sitkLinear, outside)
    return np.asarray(_itk.GetArrayFromImage(moved), dtype=np.float32)


def same_grid(one: Grid, other: Grid) -> bool:
    """Whether two grids have the same voxels, to a hundredth of a millimetre at every corner."""
    if one.shape != other.shape:
        return False
    corners = np.stack(np.meshgrid(*((0, n - 1) for n in one.shape), indexing="ij"), -1)
    away = one.index_to_patient(corners) - other.index_to_patient(corners)
    return bool(np.abs(away).max() < SAME_MM)


def is_even(grid: Grid) -> bool:
    """Whether the slices keep their distance to 1 %."""
    steps = np.diff(grid.offsets_mm)
    return not len(steps) or float(np.ptp(steps)) <= 0.01 * float(np.median(steps))


def is_axial(grid: Grid) -> bool:
    """Whether rows run to the left, columns to the back and slices to the head."""
    frame = np.stack((grid.x_direction, grid.y_direction, grid.normal))
    return bool(np.abs(frame - np.eye(3)).max() <= AXIAL_TOLERANCE)


def _grid(image: Any) -> Grid:
    """The grid of an image whose axes are turned already."""
    columns, rows, slices = image.GetSize()
    x, y, z = np.asarray(image.GetDirection(), dtype=np.float64).reshape(3, 3).T
    spacing = image.GetSpacing()
    along = np.arange(slices)[:, None] * spacing[2] * z
    return Grid(
        positions_lps=np.asarray(image.GetOrigin()) + along,
        x_direction=x,
        y_direction=y,
        spacing_yx=(float(spacing[1]), float(spacing[0])),
        shape=(slices, rows, columns),
    )


def _as_itk(voxels: NDArray[Any], grid: Grid) -> Any:
    image = _itk.GetImageFromArray(voxels)
    _locate(image, grid)
    return image


def _blank(grid: Grid) -> Any:
    slices, rows, columns = grid.shape
    image = _itk.Image([columns, rows, slices], _itk.sitkUInt8)
    _locate(image, grid)
    return image


def _locate(image: Any, grid: Grid) -> None:
    if not is_even(grid):
        raise ValueError("the slices are unevenly spaced")
    image.SetOrigin(grid.positions_lps[0].tolist())
    image.SetSpacing([*grid.spacing_yx[::-1], grid.spacing_zyx[0]])
    frame = np.stack((grid.x_direction, grid.y_direction, grid.normal), axis=1)
    image.SetDirection(frame.ravel().tolist())
