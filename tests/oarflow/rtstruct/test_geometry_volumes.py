"""Volumes of written contours against formulas: cylinder, ring, spheres, real organ shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from oarflow.evaluation.benchmarks.roundtrip import round_trip, scans
from tests.oarflow.rtstruct.cases import Shape, ball, make_case

CENTRE = (0.27, -0.38, 0.13)
"""Off the grid, so that no outline runs through pixel centres."""

SOFT_MM = 4.0


def tube(outer: float, inner: float, half_height: float) -> Shape:
    """A cylinder along z, hollow where inner is not zero; its wall is soft, its ends are hard."""

    def shape(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        radius = np.hypot(x - CENTRE[0], y - CENTRE[1])
        depth = np.minimum(outer - radius, radius - inner if inner else np.inf)
        inside = np.clip(0.5 + depth / SOFT_MM, 0, 1)
        return np.where(np.abs(z) < half_height, inside, 0).astype(np.float32)

    return shape


def areas(path: Path) -> dict[float, float]:
    """Polygon area in mm2 on each z, by the shoelace formula from the file's own numbers."""
    found: dict[float, float] = {}
    for contour in pydicom.dcmread(path).ROIContourSequence[0].ContourSequence:
        x, y, z = np.reshape([float(v) for v in contour.ContourData], (-1, 3)).T
        area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
        found[float(z[0])] = found.get(float(z[0]), 0.0) + area
    return found


@pytest.mark.parametrize(("outer", "inner"), [(20.3, 0.0), (20.3, 8.4)], ids=["solid", "ring"])
def test_a_cylinder_keeps_its_volume(tmp_path: Path, outer: float, inner: float) -> None:
    case = make_case(
        tmp_path,
        {"Brain": tube(outer, inner, 15.0)},
        rows=80,
        columns=80,
        spacing_yx=(1.0, 1.0),
        slices=40,
        step_mm=1.0,
    )
    # 40 slices at -19.5 ... 19.5: 30 of them lie within 15 mm, each for 1 mm.
    volume = sum(areas(case.path).values()) * 1.0
    assert volume == pytest.approx(np.pi * (outer**2 - inner**2) * 30.0, rel=0.005)


@pytest.mark.parametrize("soft_mm", [0.0, SOFT_MM], ids=["mask", "field"])
@pytest.mark.parametrize("radius", [20.0, 27.4])
def test_a_sphere_keeps_its_volume(tmp_path: Path, radius: float, soft_mm: float) -> None:
    case = make_case(
        tmp_path,
        {"Brain": ball(CENTRE, radius, soft_mm)},
        rows=80,
        columns=80,
        spacing_yx=(1.0, 1.0),
        slices=64,
        step_mm=1.0,
    )
    volume = sum(areas(case.path).values()) * 1.0
    assert volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.005)


@pytest.mark.parametrize(("radius", "step"), [(20.0, 3.0), (12.3, 2.0), (6.2, 3.0)])
def test_coarser_spheres_keep_the_area_of_each_cut(
    tmp_path: Path, radius: float, step: float
) -> None:
    case = make_case(
        tmp_path,
        {"Brain": ball(CENTRE, radius, SOFT_MM)},
        rows=80,
        columns=80,
        spacing_yx=(1.0, 1.0),
        slices=24,
        step_mm=step,
    )
    found = areas(case.path)
    exact = {z: np.pi * (radius**2 - (z - CENTRE[2]) ** 2) for z in found}
    assert sum(found.values()) == pytest.approx(sum(exact.values()), rel=0.01)
    centres = np.array([centroid(c) for c in contours_of(case.path)])
    assert np.abs(centres - CENTRE[:2]).max() < 0.1
    assert np.abs(np.average(centres, axis=0, weights=list(found.values())) - CENTRE[:2]).max() < (
        0.05
    )


def contours_of(path: Path) -> list[np.ndarray]:
    contours = pydicom.dcmread(path).ROIContourSequence[0].ContourSequence
    return [np.reshape([float(v) for v in c.ContourData], (-1, 3)) for c in contours]


def centroid(points: np.ndarray) -> tuple[float, float]:
    """Centre of a polygon's area (x, y), by the textbook formula."""
    x, y = points[:, 0], points[:, 1]
    cross = x * np.roll(y, -1) - y * np.roll(x, -1)
    along = [float((c + np.roll(c, -1)) @ cross) / (3 * float(cross.sum())) for c in (x, y)]
    return along[0], along[1]


def test_real_organs_survive_the_round_trip(shared_data: Path) -> None:
    """Two scans of different observers; the rest by `oarflow evaluate rtstruct-roundtrip`."""
    every = scans(shared_data / "tcia-oars")
    results = [result for scan in (every[0], every[-1]) for result in round_trip(scan)]
    assert len(results) > 30
    assert [result for result in results if not result.passed] == []
