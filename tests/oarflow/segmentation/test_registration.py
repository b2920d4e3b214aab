"""Registration finds a transform that the test chose, and its check knows when there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from scipy import ndimage
from scipy.spatial.transform import Rotation

from oarflow.geometry import Grid
from oarflow.intake import read_volume
from oarflow.segmentation.registration import on_ct, register, scaled_mr
from oarflow.segmentation.rigid import Rigid
from oarflow.types import FloatArray
from oarflow.volume import Source, Volume

SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "openkbp_validation" / "ct"
TURN = Rotation.from_euler("zyx", (9.0, -4.0, 6.0), degrees=True).as_matrix()
SHIFT = np.array([35.0, -20.0, 48.0])


@pytest.fixture(scope="module")
def ct() -> Volume:
    return read_volume(SAMPLE).volume


def pseudo_mr(ct: Volume, truth: Rigid, *, stretch: float = 1.0, spacing: float = 3.0) -> Volume:
    """An MR-like image of the CT's head: bone dark, muscle grey, fat bright, upper half only.

    truth takes the MR's points to the CT's. stretch: another, larger head.
    """
    inside = np.argwhere(ct.hu > -300)
    middle = ct.grid.index_to_patient(inside.mean(axis=0))
    top = float(ct.grid.positions_lps[-1, 2])
    centre = truth.inverse(np.array([middle[0], middle[1], top - 80.0]))
    shape = (48, 72, 72)
    first = centre - spacing * (np.array(shape)[::-1] - 1) / 2
    positions = first + np.arange(shape[0])[:, None] * np.array([0.0, 0.0, spacing])
    x, y = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    grid = Grid(positions, x, y, (spacing, spacing), shape)
    index = np.stack(np.indices(shape, dtype=np.float64), axis=-1)
    points = truth(grid.index_to_patient(index).reshape(-1, 3))
    points = (points - middle) / stretch + middle
    there = ct.grid.patient_to_index(points).T
    hu = ndimage.map_coordinates(ct.hu, there, order=1, cval=-1024.0).reshape(shape)
    values = np.interp(hu, (-1000, -400, -100, 60, 300, 1500), (0, 0, 900, 500, 120, 20))
    values += np.random.default_rng(0).normal(0, 12, shape)
    return volume(values.astype(np.float32), grid)


def volume(values: NDArray[np.float32], grid: Grid) -> Volume:
    uids = tuple(f"1.2.7.{k}" for k in range(grid.shape[0]))
    return Volume(values, grid, Source("1.2.7", "1.2.8", "1.2.9", "1.2.5", uids, Dataset(), ""))


def corners(grid: Grid) -> FloatArray:
    ends = [(0, n - 1) for n in grid.shape]
    return grid.index_to_patient(np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(-1, 3))


def test_a_known_transform_is_found_within_a_millimetre_and_a_degree(ct: Volume) -> None:
    truth = Rigid(TURN, SHIFT)
    mr = pseudo_mr(ct, truth)
    found = register(ct, mr)
    assert found.trouble == ""
    left = Rigid(found.mr_to_ct.rotation @ truth.rotation.T, np.zeros(3))
    assert left.degrees < 1.0
    middle = corners(mr.grid).mean(axis=0)
    assert np.linalg.norm(found.mr_to_ct(middle) - truth(middle)) < 1.0
    off = np.linalg.norm(found.mr_to_ct(corners(mr.grid)) - truth(corners(mr.grid)), axis=1)
    assert off.max() < 2.5


def test_the_resampled_mr_lies_where_the_transform_says(ct: Volume) -> None:
    """A bright spot of the MR, taken to the CT by hand."""
    truth = Rigid(TURN, SHIFT)
    mr = pseudo_mr(ct, truth)
    away = np.moveaxis(np.indices(mr.hu.shape), 0, -1) - (21, 41, 31)
    mr.hu[:] = np.exp(-(away**2).sum(axis=-1) / (2 * 3.0**2))
    expected = truth(mr.grid.index_to_patient([21.0, 41.0, 31.0]))
    moved = on_ct(mr.hu, mr.grid, ct.grid, truth)
    assert moved.shape == ct.grid.shape
    centre = ndimage.center_of_mass(moved)
    assert ct.grid.index_to_patient(centre) == pytest.approx(expected, abs=0.4)


def test_another_patient_s_mr_is_rejected(ct: Volume) -> None:
    mr = pseudo_mr(ct, Rigid(TURN, SHIFT), stretch=1.2)
    assert register(ct, mr).trouble != ""


def test_noise_is_rejected(ct: Volume) -> None:
    mr = pseudo_mr(ct, Rigid(TURN, SHIFT))
    noise = np.random.default_rng(1).normal(300, 100, mr.hu.shape).astype(np.float32)
    assert register(ct, volume(noise, mr.grid)).trouble != ""


def test_a_scaled_mr_runs_from_dark_to_bright_whatever_its_unit() -> None:
    values = np.linspace(-3, 40000, 10_000, dtype=np.float32).reshape(10, 100, 10)
    scaled = scaled_mr(values)
    assert (scaled.min(), scaled.max()) == (0.0, 1000.0)
    assert scaled_mr(values * 7 + 90) == pytest.approx(scaled, abs=0.1)
