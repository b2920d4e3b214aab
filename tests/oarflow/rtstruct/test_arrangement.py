"""Contours of one region on one slice: rectangles whose pixels are counted by arithmetic."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest

from oarflow.datasets.planes import Planes, in_words
from oarflow.geometry import Grid
from oarflow.rtstruct.arrangement import Relation, arrange, crosses_itself, enclosed
from oarflow.rtstruct.lint import lint
from oarflow.rtstruct.model import Contour, GeometricType, Roi
from oarflow.rtstruct.raster import Remark, RoiMask, rasterise_roi
from tests.oarflow.rtstruct.cases import Case, ball, make_case

GRID = Grid(
    positions_lps=np.array([(0.0, 0.0, z) for z in (0.0, 3.0, 6.0)]),
    x_direction=np.array([1.0, 0, 0]),
    y_direction=np.array([0, 1.0, 0]),
    spacing_yx=(1.0, 1.0),
    shape=(3, 60, 60),
)
"""Pixels of 1 mm: a rectangle with edges at halves holds its area in centres."""

Points = list[tuple[float, float]]


def box(x0: float, x1: float, y0: float, y1: float) -> Points:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


OUTER = box(10.5, 30.5, 10.5, 30.5)  # 400
HOLE = box(15.5, 25.5, 15.5, 25.5)  # 100
ISLAND = box(18.5, 22.5, 18.5, 22.5)  # 16
STROKE = box(26.5, 36.5, 10.5, 30.5)  # 200, 80 of them on OUTER
INTRUDER = box(22.5, 36.5, 18.5, 22.5)  # 56: from beyond OUTER into HOLE

ARRANGEMENTS: dict[str, tuple[list[Points], int, dict[Remark, int]]] = {
    "a hole": ([OUTER, HOLE], 300, {Remark.NESTED: 1}),
    "an island in a hole": ([OUTER, HOLE, ISLAND], 316, {Remark.NESTED: 2}),
    "two strokes": ([OUTER, STROKE], 520, {Remark.CROSSING: 1}),
    "strokes about a hole": ([OUTER, STROKE, HOLE], 420, {Remark.CROSSING: 1, Remark.NESTED: 1}),
    # OUTER less HOLE is 300; INTRUDER adds 3 x 4 in HOLE and 6 x 4 beyond OUTER.
    "a stroke into a hole": (
        [OUTER, HOLE, INTRUDER],
        300 + 12 + 24,
        {Remark.NESTED: 1, Remark.CROSSING: 1},
    ),
    "a hole in both strokes": (
        [OUTER, STROKE, box(27.5, 29.5, 15.5, 25.5)],
        520 - 20,
        {Remark.CROSSING: 1, Remark.NESTED: 1},
    ),
    "holes that cross": (
        [OUTER, box(12.5, 20.5, 15.5, 25.5), box(18.5, 28.5, 15.5, 25.5)],
        400 - 160,
        {Remark.NESTED: 2, Remark.CROSSING: 1},
    ),
    "side by side": (
        [OUTER, box(30.5, 36.5, 10.5, 30.5)],
        400 + 120,
        {Remark.TOUCHING: 1},
    ),
    "corner to corner": ([OUTER, box(30.5, 36.5, 30.5, 36.5)], 436, {Remark.TOUCHING: 1}),
    "a hole at the edge": ([OUTER, box(10.5, 15.5, 15.5, 25.5)], 350, {Remark.NESTED: 1}),
    # Rounding moves an edge by up to 0.1 mm: the same without it.
    "a hole that sticks out": ([OUTER, box(10.45, 15.5, 15.5, 25.5)], 350, {Remark.NESTED: 1}),
    "side by side, rounded": ([OUTER, box(30.45, 36.5, 10.5, 30.5)], 520, {Remark.TOUCHING: 1}),
    "drawn twice": ([OUTER, OUTER[2:] + OUTER[:2]], 400, {Remark.DUPLICATE: 1}),
    "drawn twice, rounded": (
        [OUTER, box(10.53, 30.54, 10.46, 30.47)],
        400,
        {Remark.DUPLICATE: 1},
    ),
    "drawn twice, with a hole": (
        [OUTER, OUTER[::-1], HOLE],
        300,
        {Remark.DUPLICATE: 1, Remark.NESTED: 1},
    ),
    "apart": ([OUTER, box(40.5, 50.5, 10.5, 20.5)], 500, {}),
}


def filled(*rings: Points, kind: str = "CLOSED_PLANAR", z: float = 3.0) -> RoiMask:
    return rasterise_roi(roi(*rings, kind=kind, z=z), GRID)


def roi(*rings: Points, kind: str = "CLOSED_PLANAR", z: float = 3.0) -> Roi:
    contours = (np.array([(x, y, z) for x, y in ring]) for ring in rings)
    return Roi(1, "Larynx", tuple(Contour(c, None, GeometricType(kind)) for c in contours))


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_contours_of_a_slice_combine_as_they_lie(name: str) -> None:
    rings, voxels, remarks = ARRANGEMENTS[name]
    for order in itertools.permutations(rings):
        found = filled(*order)
        assert found.values.sum() == voxels
        assert found.remarks == remarks


def test_a_keyhole_is_no_crossing_and_holds_its_island() -> None:
    keyhole: Points = [*OUTER[:3], (10.5, 30.5), (10.5, 20.5), (15.5, 20.5), (15.5, 25.5)]
    keyhole += [(25.5, 25.5), (25.5, 15.5), (15.5, 15.5), (15.5, 20.5), (10.5, 20.5)]
    assert enclosed(np.array(keyhole)).area == pytest.approx(300)
    assert filled(keyhole, ISLAND).values.sum() == 316
    assert filled(keyhole, ISLAND).remarks == {}


def test_a_figure_of_eight_holds_both_its_halves() -> None:
    """Two triangles of 20 x 10 mm, tip to tip; centres on the slanted edges half belong to them."""
    eight: Points = [(10.25, 10.25), (30.25, 30.25), (30.25, 10.25), (10.25, 30.25)]
    found = filled(eight)
    rows, columns = np.mgrid[11:31, 11:31]
    steep = np.abs(rows - 20.25) <= np.abs(columns - 20.25)
    assert found.values.sum() == pytest.approx(200, abs=20)
    assert not (found.full(GRID.shape)[1, 11:31, 11:31] & ~steep).any()
    assert found.remarks == {Remark.SELF_CROSSING: 1}
    assert enclosed(np.array(eight)).area == pytest.approx(200)


@pytest.mark.parametrize(
    ("name", "voxels"), [("two strokes", 440), ("a hole", 300), ("an island in a hole", 316)]
)
def test_xor_contours_keep_their_meaning(name: str, voxels: int) -> None:
    found = filled(*ARRANGEMENTS[name][0], kind="CLOSEDPLANAR_XOR")
    assert found.values.sum() == voxels
    assert found.remarks == {}


def test_contours_of_two_planes_cut_no_hole_in_each_other() -> None:
    """Drawn at 2.4 and at 3.6 mm, both are put onto the slice at 3 mm."""
    both = Roi(1, "Larynx", roi(OUTER, z=2.4).contours + roi(HOLE, z=3.6).contours)
    found = rasterise_roi(both, GRID, off_slice="nearest")
    assert found.values.sum() == 400
    assert found.remarks == {Remark.MOVED_TO_SLICE: 2}


def test_a_scribble_takes_no_time_and_cuts_nothing_out() -> None:
    scribble = np.random.default_rng(0).uniform(10, 30, (4000, 2))
    before = time.process_time()
    found = filled([(float(x), float(y)) for x, y in scribble], OUTER)
    assert time.process_time() - before < 10
    assert found.values.sum() == 400
    assert found.remarks == {Remark.CROSSING: 1, Remark.SELF_CROSSING: 1}
    assert crosses_itself(scribble)


def test_relations_hold_in_millimetres() -> None:
    def relation(*rings: Points) -> Relation | None:
        return arrange([np.array(ring) for ring in rings]).pairs.get((0, 1))

    assert relation(OUTER, box(10.41, 15.5, 15.5, 25.5)) is Relation.HOLDING
    assert relation(OUTER, box(10.39, 15.5, 15.5, 25.5)) is Relation.CROSSING
    assert relation(OUTER, box(30.41, 36.5, 15.5, 25.5)) is Relation.TOUCHING
    assert relation(OUTER, box(30.39, 36.5, 15.5, 25.5)) is Relation.CROSSING
    assert relation(OUTER, box(31.0, 36.5, 15.5, 25.5)) is None


def test_data_sets_and_comparisons_say_so() -> None:
    crossing = roi(*ARRANGEMENTS["strokes about a hole"][0])
    planes = Planes.of([crossing], GRID)
    assert planes.mask(crossing, GRID).sum() == 420
    assert in_words(planes.remarks(crossing, GRID)) == (
        "1 contours crossing another of their slice, joined with it; "
        "1 contours within another of their slice, read as holes and islands"
    )


RULES = {
    "a hole": {"NESTED_CONTOURS": 1},
    "an island in a hole": {"NESTED_CONTOURS": 3},
    "two strokes": {"OVERLAPPING_CONTOURS": 1},
    "side by side": {"TOUCHING_CONTOURS": 1},
    "a hole that sticks out": {"NESTED_CONTOURS": 1},
    "side by side, rounded": {"TOUCHING_CONTOURS": 1},
    "drawn twice": {"DUPLICATE_CONTOURS": 1},
    "drawn twice, rounded": {"DUPLICATE_CONTOURS": 1},
    "apart": {},
}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    shapes = {"Larynx": ball((0.0, 0.0, 0.0), 12.0)}
    return make_case(tmp_path_factory.mktemp("arrangement"), shapes, slices=16)


@pytest.mark.parametrize("turn", [0.0, 30.0], ids=["axial", "oblique"])
@pytest.mark.parametrize("name", RULES)
def test_the_linter_says_the_same(case: Case, tmp_path: Path, name: str, turn: float) -> None:
    """turn: degrees about x, so that no coordinate is constant in the plane."""
    angle = np.deg2rad(turn)
    axes = np.array([(1, 0, 0), (0, np.cos(angle), np.sin(angle)), (0, 0, 0)])
    dataset = pydicom.dcmread(case.path)
    contours = dataset.ROIContourSequence[0].ContourSequence
    template = contours[0]
    drawn = []
    for ring in ARRANGEMENTS[name][0]:
        contour = pydicom.Dataset()
        contour.update(template)
        points = np.array([(x, y, 0.0) for x, y in ring]) @ axes
        contour.ContourData = [f"{v:.4f}" for v in points.ravel()]
        contour.NumberOfContourPoints = len(points)
        drawn.append(contour)
    dataset.ROIContourSequence[0].ContourSequence = drawn
    dataset.save_as(tmp_path / "drawn.dcm")
    found = {finding.rule: finding.count for finding in lint(tmp_path / "drawn.dcm")}
    told = {rule: n for rule, n in found.items() if rule.endswith("_CONTOURS")}
    assert told == RULES[name]
