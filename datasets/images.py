"""NRRD, NIfTI and other image files as arrays in patient space (LPS), by SimpleITK.

Both formats name their axes (RAS, LPS and so on); ITK turns all into LPS. Axes are then put in the
order (z, y, x) with index growing to the head, back and left, as far as the image's own directions
allow: an oblique image keeps its directions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from datasets.cases import Image, Mask, Voxels
from oarflow.geometry import Grid

ENDINGS = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".nhdr", ".mha", ".mhd")
"""File name endings that are read, the longer ones first."""

LARGEST = 2**30
"""Voxels beyond this count are refused: a whole-body CT has a fifth."""

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
    image = _read(path)
    voxels = _itk.GetArrayFromImage(image)
    limits = np.iinfo(np.int16)
    whole = np.issubdtype(voxels.dtype, np.integer)
    if whole and voxels.min() >= limits.min and voxels.max() <= limits.max:
        return voxels.astype(np.int16), _grid(image)
    if not np.isfinite(voxels).all():
        raise ValueError(f"{path.name}: holds values that are no numbers")
    return voxels.astype(np.float32), _grid(image)


def read_image(path: Path) -> Image:
    """An image of any unit, float32. Raises ValueError as `read_hu` does."""
    image = _read(path)
    voxels = np.asarray(_itk.GetArrayFromImage(image), dtype=np.float32)
    return Image(voxels, _grid(image))


def read_grid(path: Path) -> Grid:
    """The grid of an image or a mask. Raises ValueError where it has not three dimensions."""
    return _grid(_read(path, channels=True))


def read_mask(path: Path, grid: Grid, value: int | tuple[int, ...] | None = None) -> Mask:
    """A mask on a grid of even spacing, bool (z, y, x).

    value: the label that counts, or several; None for every value of at least one half, in any
    channel. A file on another grid (one cropped to its segment, say) is put where it lies: each
    voxel takes the nearest one's value, and none beyond the file's edge.

    Raises ValueError where the file is no three-dimensional image.
    """
    image = _read(path, channels=True)
    values = _itk.GetArrayFromImage(image)
    if values.ndim == 4:
        values = values.max(axis=-1)
    mask = np.asarray(values >= 0.5 if value is None else np.isin(values, value))
    return placed(mask, _grid(image), grid)


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


def write_image(path: Path, voxels: NDArray[Any], grid: Grid) -> None:
    """Write an array (z, y, x) as an image file of the name's kind; bool as uint8.

    Raises ValueError for an ending that is not known, or a grid of uneven spacing.
    """
    stem(path)
    stored = voxels.astype(np.uint8) if voxels.dtype == np.bool_ else voxels
    _itk.WriteImage(_as_itk(stored, grid), str(path), useCompression=True)


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


def _header(path: Path) -> Any:
    reader = _itk.ImageFileReader()
    reader.SetFileName(str(path))
    _said(reader.ReadImageInformation, path)
    size = reader.GetSize()
    if len(size) != 3 or min(size) < 1:
        raise ValueError(f"{path.name}: {len(size)} dimensions; three are needed")
    if int(np.prod(size, dtype=np.float64)) > LARGEST:
        raise ValueError(f"{path.name}: more than {LARGEST} voxels")
    return reader


def _read(path: Path, *, channels: bool = False) -> Any:
    reader = _header(path)
    if reader.GetNumberOfComponents() != 1 and not channels:
        raise ValueError(f"{path.name}: {reader.GetNumberOfComponents()} channels; one is needed")
    return _turned(_said(reader.Execute, path), path)


def _said(function: Callable[[], Any], path: Path) -> Any:
    try:
        return function()
    except RuntimeError:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path.name}") from None
        raise ValueError(f"{path.name}: damaged, or no image") from None


def _turned(image: Any, path: Path) -> Any:
    return _said(lambda: _itk.DICOMOrient(image, "LPS"), path)


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
