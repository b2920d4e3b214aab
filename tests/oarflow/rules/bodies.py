"""Patients made of ellipses, on a couch, in a mask, with a tube; their outline is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from oarflow.geometry import Grid
from oarflow.intake import SeriesRules, read_volume
from oarflow.volume import Source, Volume
from tests.phantoms import make_series, texture, write_series

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Anatomy = Callable[[Floats, Floats, Floats], Floats]
"""HU at patient coordinates (x, y, z) in mm."""

DOWN_LPS = {"HFS": (0, 1), "HFP": (0, -1), "HFDR": (-1, 0), "HFDL": (1, 0), "FFS": (0, 1)}
"""Direction (x, y) of gravity by patient position."""

HALF_WIDTH, HALF_DEPTH = 62.0, 74.0
"""Half axes of the head in mm."""


def shadow(x: Floats, y: Floats, z: Floats, grown: float = 0.0) -> Bools:
    """Inside a head, a neck and shoulders, each grown by some mm."""
    wide = np.interp(z, [-70, -40, -10], [170.0, 50.0, HALF_WIDTH]) + grown
    deep = np.interp(z, [-70, -40, -10], [85.0, 50.0, HALF_DEPTH]) + grown
    nose = (np.abs(x) < 8 + grown) & (y > -90 - grown) & (y < 0) & (z > 10) & (z < 40)
    return np.asarray(((x / wide) ** 2 + (y / deep) ** 2 < 1) | nose)


def patient(x: Floats, y: Floats, z: Floats) -> Floats:
    """HU of the body alone: soft tissue, a spine, an airway, a sinus that opens to the nose."""
    x, y, z = np.broadcast_arrays(x, y, z)
    hu = np.where(shadow(x, y, z), 40.0 + texture(x, y, z), -1000.0)
    inside = shadow(x, y, z)
    hu[inside & (x**2 + (y - 25) ** 2 < 12**2)] = 500.0
    hu[inside & (x**2 + (y + 12) ** 2 < 8**2)] = -990.0
    hu[inside & (np.abs(x) < 5) & (y < -20) & (y > -95) & (np.abs(z - 25) < 6)] = -990.0
    return hu


def in_devices(down: tuple[int, int]) -> Anatomy:
    """HU of the patient on a couch that lies in direction `down`, in a mask, with a tube."""

    def anatomy(x: Floats, y: Floats, z: Floats) -> Floats:
        hu = patient(x, y, z).copy()
        x, y, z = np.broadcast_arrays(x, y, z)
        air = hu < -900
        air &= ~shadow(x, y, z)
        lower = x * down[0] + y * down[1]
        across = np.abs(x * down[1] - y * down[0])
        gap = 90.0 if down[1] else 175.0
        shells = (np.abs(lower - gap) < 1.5) | (np.abs(lower - gap - 40) < 1.5)
        hu[air & shells & (across < 210)] = 100.0
        mask = shadow(x, y, z, 5.5) & ~shadow(x, y, z, 3.0) & (lower < 20) & (z > -35)
        hu[air & mask] = 60.0
        radius = np.hypot(x - 90, y - 20)
        hu[air & (radius < 6) & (radius > 4)] = 150.0
        return hu

    return anatomy


def as_read(folder: Path, position: str) -> Volume:
    """The volume that the intake reads from a series in a patient position, with devices."""
    series = make_series(
        slices=36,
        rows=230,
        columns=230,
        spacing_yx=(2.0, 2.0),
        step_mm=4.0,
        patient_position=position,
        anatomy=in_devices(DOWN_LPS[position]),
    )
    write_series(folder, series)
    return read_volume(folder, SeriesRules()).volume


def sampled(
    anatomy: Anatomy,
    z_mm: Sequence[float] | Floats = tuple(range(-72, 72, 4)),
    middle_x: float = 0.0,
) -> Volume:
    """Axial slices of 180 x 230 pixels of 2 mm at these heights, with `middle_x` in the middle."""
    heights = np.asarray(z_mm, dtype=float)
    x = (np.arange(230) - 114.5) * 2.0 + middle_x
    y = (np.arange(180) - 89.5) * 2.0
    hu = anatomy(x[None, None, :], y[None, :, None], heights[:, None, None])
    return volume_of(hu, (4.0, 2.0, 2.0), heights, (float(x[0]), float(y[0])))


def points(volume: Volume) -> tuple[Floats, Floats, Floats]:
    """Patient coordinates (x, y, z) of all voxels."""
    index = np.stack(np.indices(volume.hu.shape), axis=-1)
    lps = volume.grid.index_to_patient(index)
    return lps[..., 0], lps[..., 1], lps[..., 2]


def volume_of(
    hu: Floats,
    spacing_zyx: tuple[float, float, float],
    z_mm: Floats | None = None,
    corner_xy: tuple[float, float] = (0.0, 0.0),
) -> Volume:
    """A volume of axial slices without files."""
    count = hu.shape[0]
    places = np.zeros((count, 3))
    places[:, :2] = corner_xy
    places[:, 2] = np.arange(count) * spacing_zyx[0] if z_mm is None else z_mm
    grid = Grid(
        places,
        np.array([1.0, 0, 0]),
        np.array([0, 1.0, 0]),
        (spacing_zyx[1], spacing_zyx[2]),
        (hu.shape[0], hu.shape[1], hu.shape[2]),
    )
    uids = tuple(f"1.2.3.{k}" for k in range(count))
    source = Source("1.2.1", "1.2.2", "1.2.4", "1.2.5", uids, Dataset(), "")
    return Volume(hu.astype(np.float32), grid, source)
