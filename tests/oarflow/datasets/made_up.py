"""Patients as data sets store them, their bytes written here so that truth does not come from ITK.

A patient is a function of patient space (LPS, mm): a body, a left and a right parotid, a cord.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from oarflow.geometry import Grid

ITK: Any = SimpleITK  # its functions are untyped

LOW, HIGH = np.array((-60.0, -50.0, -40.0)), np.array((60.0, 50.0, 40.0))
"""Corner voxels' centres (x, y, z) of every CT, whatever its axes."""

ORGANS = {
    "Parotid_L": ((30.0, -10.0, -15.0), (50.0, 10.0, 18.0)),
    "Parotid_R": ((-48.0, -10.0, -15.0), (-30.0, 10.0, 18.0)),
    "SpinalCord": ((-5.0, 20.0, -40.0), (5.0, 30.0, 40.0)),
}
"""Boxes (x, y, z) LPS, both corners included."""


@dataclass(frozen=True)
class Layout:
    """How an array lies: its axes, fastest first, each as LPS axis and sign; voxel size x, y, z."""

    axes: tuple[tuple[int, int], ...] = ((0, 1), (1, 1), (2, 1))
    spacing_xyz: tuple[float, float, float] = (2.0, 2.5, 4.0)

    @property
    def sizes(self) -> list[int]:
        counts = np.rint((HIGH - LOW) / self.spacing_xyz).astype(int) + 1
        return [int(counts[axis]) for axis, _ in self.axes]

    @property
    def directions(self) -> NDArray[np.float64]:
        """(3, 3), row k the LPS step of the array's axis k, fastest first."""
        rows = np.zeros((3, 3))
        for k, (axis, sign) in enumerate(self.axes):
            rows[k, axis] = sign * self.spacing_xyz[axis]
        return rows

    @property
    def origin(self) -> NDArray[np.float64]:
        first = LOW.copy()
        for axis, sign in self.axes:
            if sign < 0:
                first[axis] = HIGH[axis]
        return first

    def points(self) -> NDArray[np.float64]:
        """LPS of every voxel, (slowest, middle, fastest, 3)."""
        index = np.stack(np.meshgrid(*map(np.arange, self.sizes), indexing="ij"), -1)
        return (self.origin + index @ self.directions).transpose(2, 1, 0, 3)


STRAIGHT = Layout()
TURNED = Layout(((2, -1), (0, -1), (1, 1)))


def hu(points: NDArray[np.float64]) -> NDArray[np.int16]:
    """A body whose HU tell where they were read: they grow to the left, back and head."""
    x, y, z = np.moveaxis(points, -1, 0)
    values = np.where(np.hypot(x, y) < 55, 40 + x + 3 * y + 0.5 * z, -1000)
    return np.asarray(np.rint(values), dtype=np.int16)


def inside(organ: str) -> Callable[[NDArray[np.float64]], NDArray[np.uint8]]:
    low, high = (np.array(corner) for corner in ORGANS[organ])

    def mask(points: NDArray[np.float64]) -> NDArray[np.uint8]:
        return np.all((points >= low) & (points <= high), axis=-1).astype(np.uint8)

    return mask


def write_nrrd(
    path: Path, values: NDArray[np.generic], layout: Layout, space: str = "left-posterior-superior"
) -> None:
    """NRRD by its own definition: gzip, little-endian, in LPS or RAS."""
    signs = {"left-posterior-superior": (1, 1, 1), "right-anterior-superior": (-1, -1, 1)}[space]
    kinds = {"int16": "short", "uint8": "unsigned char", "float32": "float"}
    step = " ".join("(" + ",".join(map(str, row * signs)) + ")" for row in layout.directions)
    origin = ",".join(map(str, layout.origin * signs))
    path.parent.mkdir(parents=True, exist_ok=True)
    header = (
        f"NRRD0004\ntype: {kinds[values.dtype.name]}\ndimension: 3\nspace: {space}\n"
        f"sizes: {' '.join(map(str, layout.sizes))}\nspace directions: {step}\n"
        f"kinds: domain domain domain\nendian: little\nencoding: gzip\n"
        f"space origin: ({origin})\n\n"
    )
    path.write_bytes(header.encode() + gzip.compress(values.tobytes(), 1))


def write_nifti(path: Path, values: NDArray[np.generic], layout: Layout) -> None:
    """NIfTI-1 by its own definition: RAS, sform only."""
    codes = {"int16": (4, 16), "uint8": (2, 8), "float32": (16, 32)}
    code, bits = codes[values.dtype.name]
    affine = np.column_stack((layout.directions.T, layout.origin)) * np.array([[-1], [-1], [1]])
    sizes = np.linalg.norm(layout.directions, axis=1)
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *layout.sizes, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, code, bits)
    struct.pack_into("<8f", header, 76, 1, *sizes, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352)
    struct.pack_into("<ff", header, 112, 1, 0)
    header[123] = 2  # millimetres
    struct.pack_into("<hh", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, *affine.ravel())
    struct.pack_into("<4s", header, 344, b"n+1\0")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(bytes(header) + values.tobytes(), 1))


def write_hanseg(folder: Path, case: str, layout: Layout = STRAIGHT, *, mr: bool = True) -> Path:
    """A HaN-Seg patient, `set_1/case_XX`; its MR is oblique and smaller."""
    place = folder / "set_1" / case
    points = layout.points()
    write_nrrd(place / f"{case}_IMG_CT.nrrd", hu(points), layout)
    for organ in ORGANS:
        write_nrrd(place / f"{case}_OAR_{organ}.seg.nrrd", inside(organ)(points), layout)
    if mr:
        write_oblique(place / f"{case}_IMG_MR_T1.nrrd")
    return place


def write_pddca(folder: Path, case: str, layout: Layout = STRAIGHT) -> Path:
    """A PDDCA patient: `img.nrrd`, `structures/<name>.nrrd` in LPS or RAS."""
    place = folder / case
    points = layout.points()
    write_nrrd(place / "img.nrrd", hu(points), layout, "right-anterior-superior")
    names = {"Parotid_L": "Parotid_L", "Parotid_R": "Parotid_R", "SpinalCord": "Spinal Cord"}
    for organ, name in names.items():
        values = inside(organ)(points) * np.uint8(255)
        write_nrrd(place / "structures" / f"{name}.nrrd", values, layout, "right-anterior-superior")
    return place


def oblique(angle_degrees: float = 12.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (rows) and origin of an MR tilted about the x axis, voxels of 3 mm."""
    angle = np.deg2rad(angle_degrees)
    c, s = np.cos(angle), np.sin(angle)
    return 3.0 * np.array([[1, 0, 0], [0, c, s], [0, -s, c]]), np.array((-40.0, -35.0, -20.0))


def write_oblique(path: Path) -> NDArray[np.float32]:
    """An MR of 20 x 18 x 12 voxels whose value is its voxel's x coordinate. Returns its values."""
    directions, origin = oblique()
    index = np.stack(np.meshgrid(*map(np.arange, (20, 18, 12)), indexing="ij"), -1)
    points = (origin + index @ directions).transpose(2, 1, 0, 3)
    values = np.asarray(points[..., 0], dtype=np.float32)
    step = " ".join("(" + ",".join(map(str, row)) + ")" for row in directions)
    path.parent.mkdir(parents=True, exist_ok=True)
    header = (
        "NRRD0004\ntype: float\ndimension: 3\nspace: left-posterior-superior\nsizes: 20 18 12\n"
        f"space directions: {step}\nkinds: domain domain domain\nendian: little\n"
        f"encoding: raw\nspace origin: ({','.join(map(str, origin))})\n\n"
    )
    path.write_bytes(header.encode() + values.tobytes())
    return values


def write_mask(path: Path, mask: NDArray[np.bool_], grid: Grid) -> None:
    """A mask (z, y, x) on a grid of even spacing, as SimpleITK writes it."""
    image = ITK.GetImageFromArray(mask.astype(np.uint8))
    z_mm, (y_mm, x_mm) = grid.spacing_zyx[0], grid.spacing_yx
    image.SetSpacing((x_mm, y_mm, z_mm))
    image.SetOrigin(grid.positions_lps[0].tolist())
    axes = np.stack((grid.x_direction, grid.y_direction, grid.normal), axis=1)
    image.SetDirection(axes.ravel().tolist())
    ITK.WriteImage(image, str(path), useCompression=True)
