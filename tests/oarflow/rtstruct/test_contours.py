"""Contours of shapes whose areas and volumes are known by formula."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import shapely

from oarflow.geometry import Grid
from oarflow.rtstruct.contours import (
    MAX_CONTOUR_BYTES,
    SIMPLIFY_TOLERANCE_MM,
    TOO_SMALL,
    ContourOptions,
    HoleStyle,
    organ_contours,
    structure_set,
)
from oarflow.rtstruct.decimal_strings import contour_text
from oarflow.rtstruct.outlines import COARSEST_TOLERANCE_MM, MIN_RING_AREA_MM2
from oarflow.rtstruct.tracing import trace_rings
from tests.oarflow.rtstruct.hand import (
    area,
    field_of,
    make_grid,
    make_source,
    segmentation,
    shoelace,
    soft,
    spec,
    tilted_grid,
)


def plane_distances(grid: Grid, centre_xy: tuple[float, float]) -> np.ndarray:
    """(rows, columns) distance in mm from a patient x, y, on an axial grid."""
    rows, columns = np.mgrid[: grid.shape[1], : grid.shape[2]]
    x = grid.positions_lps[0, 0] + columns * grid.spacing_yx[1]
    y = grid.positions_lps[0, 1] + rows * grid.spacing_yx[0]
    return np.hypot(x - centre_xy[0], y - centre_xy[1])


def contours_of(values: np.ndarray, grid: Grid, **options: object) -> tuple:
    source = make_source(grid.shape[0])
    return organ_contours(source, grid, field_of(values), spec(), ContourOptions(**options))


CENTRE = (0.37, -8.61)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.9, 1.1)])
@pytest.mark.parametrize("hard", [False, True])
def test_a_cylinder_has_its_area_and_centre(spacing: tuple[float, float], hard: bool) -> None:
    grid = make_grid((2, 64, 64), spacing)
    inwards = 20.3 - plane_distances(grid, CENTRE)
    values = np.stack([inwards > 0 if hard else soft(inwards)] * 2)
    contours, _ = contours_of(values, grid)
    assert area(contours) / 2 == pytest.approx(np.pi * 20.3**2, rel=0.005)
    centroid = shapely.Polygon(contours[0].points_lps[:, :2]).centroid
    assert (centroid.x, centroid.y) == pytest.approx(CENTRE, abs=0.05)


@pytest.mark.parametrize("holes", HoleStyle)
def test_a_ring_has_the_area_of_its_outline_less_its_hole(holes: HoleStyle) -> None:
    grid = make_grid((1, 64, 64))
    distance = plane_distances(grid, CENTRE)
    values = soft(np.minimum(20.3 - distance, distance - 8.2))[None]
    contours, _ = contours_of(values, grid, hole_style=holes)
    areas = sorted(abs(shoelace(contour.points_lps[:, :2])) for contour in contours)
    found = areas[0] if holes is HoleStyle.KEYHOLE else areas[1] - areas[0]
    assert found == pytest.approx(np.pi * (20.3**2 - 8.2**2), rel=0.005)
    assert len(contours) == (1 if holes is HoleStyle.KEYHOLE else 2)


@pytest.mark.parametrize("radius", [20.0, 31.7])
@pytest.mark.parametrize("hard", [False, True])
def test_a_sphere_has_its_volume(radius: float, hard: bool) -> None:
    grid = make_grid((80, 80, 80), step_mm=1.0, first_lps=(-40.0, -48.3, -39.8))
    z = grid.positions_lps[:, 2, None, None]
    inwards = radius - np.hypot(plane_distances(grid, CENTRE)[None], z)
    contours, _ = contours_of(inwards > 0 if hard else soft(inwards), grid)
    assert area(contours) * 1.0 == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.005)


def test_every_slice_of_a_coarse_sphere_has_the_area_of_its_exact_disc() -> None:
    grid = make_grid((13, 64, 64), first_lps=(-31.7, -40.2, -18.4))
    z = grid.positions_lps[:, 2]
    inwards = 15.2 - np.hypot(plane_distances(grid, CENTRE)[None], z[:, None, None])
    contours, entry = contours_of(soft(inwards), grid)
    exact = np.pi * np.clip(15.2**2 - z**2, 0, None)
    for contour, k in zip(contours, entry.slices, strict=True):
        assert area([contour]) == pytest.approx(exact[k], rel=0.02, abs=3.0)
    assert area(contours) == pytest.approx(exact.sum(), rel=0.005)


def test_contours_lie_on_the_planes_of_unevenly_spaced_slices() -> None:
    offsets = [0, 3, 6, 9, 11, 13, 15]
    grid = make_grid((7, 32, 32), offsets_mm=offsets)
    values = np.zeros(grid.shape)
    values[:, 8:20, 9:21] = 1
    contours, _ = contours_of(values, grid)
    heights = [np.unique(contour.points_lps[:, 2]).tolist() for contour in contours]
    assert heights == [[-120.5 + offset] for offset in offsets]


def test_a_tilted_stack_gives_the_straight_one_turned() -> None:
    values = np.zeros((9, 64, 64), dtype=np.float32)
    values[3, 20:41, 10:50] = 1
    values[3, 25:30, 20:30] = 0
    straight, tilted = make_grid(), tilted_grid(20.0)
    (flat,) = contours_of(values, straight)[0]
    (turned,) = contours_of(values, tilted)[0]
    back = tilted.patient_to_axes(turned.points_lps)
    assert np.abs(back[:, 0] - 9.0).max() <= 0.001
    polygon = shapely.Polygon((flat.points_lps - straight.positions_lps[3])[:, :2])
    other = shapely.Polygon(back[:, [2, 1]])
    assert shapely.hausdorff_distance(polygon, other) <= 0.002


def test_a_hair_of_tilt_still_lies_within_a_thousandth_of_the_plane() -> None:
    values = np.zeros((9, 64, 64), dtype=np.float32)
    values[3, 5:60, 5:60] = 1
    for degrees in (1e-6, 0.01):
        grid = tilted_grid(degrees)
        (contour,) = contours_of(values, grid)[0]
        away = (contour.points_lps - grid.positions_lps[3]) @ grid.normal
        assert np.abs(away).max() <= 0.001


def test_simplification_keeps_within_its_tolerance_and_takes_points_away() -> None:
    grid = make_grid((1, 64, 64))
    values = soft(20.3 - plane_distances(grid, CENTRE))[None]
    raw = contours_of(values, grid, tolerance_mm=0)[0][0]
    simple = contours_of(values, grid)[0][0]
    rings = [shapely.LinearRing(c.points_lps[:, :2]) for c in (raw, simple)]
    assert len(simple.points_lps) < 0.7 * len(raw.points_lps)
    assert shapely.hausdorff_distance(*rings) <= SIMPLIFY_TOLERANCE_MM + 0.001


def test_a_slice_that_simplifying_would_make_cross_is_left_unsimplified() -> None:
    values = np.random.default_rng(17).random((1, 12, 12)).astype(np.float32)
    grid = make_grid(values.shape, (0.3, 0.3))
    contours, entry = contours_of(values, grid, tolerance_mm=0.1, hole_style=HoleStyle.XOR)
    raw, _ = contours_of(values, grid, tolerance_mm=0, hole_style=HoleStyle.XOR)
    assert entry.rings_unsimplified == 14
    assert [c.points_lps.tolist() for c in contours] == [c.points_lps.tolist() for c in raw]


def test_islands_in_holes_are_contours_of_their_own() -> None:
    values = np.zeros((1, 64, 64))
    values[0, 10:50, 10:50] = 1
    values[0, 20:40, 20:40] = 0
    values[0, 28:32, 28:32] = 1
    contours, _ = contours_of(values, make_grid((1, 64, 64)))
    assert len(contours) == 2


def test_a_mask_that_fills_the_image_closes_at_its_border() -> None:
    grid = make_grid((1, 20, 30))
    (contour,) = contours_of(np.ones(grid.shape), grid)[0]
    assert area([contour]) == pytest.approx(600 - 4 * 0.125)
    low, high = contour.points_lps.min(axis=0), contour.points_lps.max(axis=0)
    assert low[:2] == pytest.approx((-31.7 - 0.5, -40.2 - 0.5))
    assert high[:2] == pytest.approx((-31.7 + 29.5, -40.2 + 19.5))


def test_one_two_and_diagonal_pixels_give_whole_contours() -> None:
    values = np.zeros((3, 8, 8))
    values[0, 2, 2] = 1
    values[1, 2, 2:4] = 1
    values[2, 2, 2] = values[2, 3, 3] = 1
    contours, _ = contours_of(values, make_grid((3, 8, 8)))
    assert [area([contour]) for contour in contours] == pytest.approx([0.5, 1.5, 0.5, 0.5], abs=0.1)
    assert all(len(contour.points_lps) >= 3 for contour in contours)


def test_specks_under_the_area_constant_are_dropped_and_counted() -> None:
    grid = make_grid((2, 16, 16))
    values = np.zeros(grid.shape)
    values[:, 4:9, 4:9] = 1
    values[0, 12, 12] = 0.52
    assert MIN_RING_AREA_MM2 > 2 * (0.02 / 0.52) ** 2
    contours, entry = contours_of(values, grid)
    assert (len(contours), entry.rings_dropped) == (2, 1)
    assert 0 <= entry.area_dropped_mm2 < MIN_RING_AREA_MM2
    assert any("speck" in note for note in entry.notes)


def test_an_organ_of_specks_only_has_no_contour_and_says_why() -> None:
    values = np.full((1, 1, 1), 0.51)
    contours, entry = contours_of(values, make_grid((1, 4, 4)))
    assert contours == ()
    assert entry.refused == TOO_SMALL


def comb(teeth: int, length: int) -> np.ndarray:
    values = np.zeros((1, 64, 2 * teeth + 4), dtype=np.float32)
    values[0, 4:8, 2 : 2 * teeth + 2] = 1
    values[0, 4 : 8 + length, 2 : 2 * teeth + 2 : 2] = 1
    return values


def test_a_jagged_outline_is_simplified_until_its_text_fits() -> None:
    rng = np.random.default_rng(5)
    grid = make_grid((1, 512, 512), first_lps=(-255.5, -255.5, -120.5))
    angle = np.arctan2(*np.mgrid[-255.5:256, -255.5:256])
    waves = sum(rng.uniform(0.2, 0.5) * np.sin(n * angle + n) for n in range(150, 400, 10))
    values = soft(200 + 0.4 * waves - plane_distances(grid, (0.0, 0.0)))[None]
    raw, _ = contours_of(values, grid, tolerance_mm=0.001)
    contours, entry = contours_of(values, grid, max_points=1000)
    assert len(contours) == 1
    assert len(contours[0].points_lps) <= 1000
    assert SIMPLIFY_TOLERANCE_MM < entry.coarsest_mm <= COARSEST_TOLERANCE_MM
    assert area(contours) == pytest.approx(area(raw), rel=0.005)
    assert len(contour_text(raw[0].points_lps, 3, 2)) <= MAX_CONTOUR_BYTES


def test_a_contour_over_the_bytes_of_explicit_vr_is_simplified_until_it_fits() -> None:
    grid = make_grid((1, 512, 512), (0.25, 0.25), first_lps=(-1263.875, -1263.875, -1120.123456))
    rows, columns = np.mgrid[-255.5:256, -255.5:256] * 0.25
    angle = np.arctan2(rows, columns)
    waves = 0.3 * np.sin(600 * angle) + 0.1 * np.sin(431 * angle)
    values = soft(60 + waves - np.hypot(rows, columns), 0.5)[None]
    raw = trace_rings(values, 0.5).points
    contours, entry = contours_of(values, grid)
    assert len(raw) * len("-1263.875|-1263.875|-1120.123456|") > MAX_CONTOUR_BYTES
    assert len(contours) == 1
    assert len(contour_text(contours[0].points_lps, 3, 2)) <= MAX_CONTOUR_BYTES
    assert SIMPLIFY_TOLERANCE_MM < entry.coarsest_mm <= COARSEST_TOLERANCE_MM
    assert any("to come within the limits" in note for note in entry.notes)
    assert area(contours) == pytest.approx(np.pi * 60**2, rel=0.01)


def test_an_outline_that_no_simplification_brings_under_the_limit_is_refused() -> None:
    values = comb(500, 50)
    contours, entry = contours_of(values, make_grid(values.shape), max_points=500)
    assert contours == ()
    assert entry.refused is not None
    assert "too long" in entry.refused


def test_gaps_are_reported_and_filled_only_when_asked() -> None:
    grid = make_grid((6, 32, 32))
    values = np.zeros(grid.shape)
    values[[0, 1, 3, 5], 10:20, 10:20] = 1
    contours, entry = contours_of(values, grid)
    assert (len(contours), entry.gaps, entry.interpolated) == (4, (2, 4), ())
    filled, entry = contours_of(values, grid, interpolate_gaps=1)
    assert (len(filled), entry.gaps, entry.interpolated) == (6, (), (2, 4))
    assert any("interpolated" in note for note in entry.notes)
    assert [area([c]) for c in filled] == pytest.approx([area([filled[0]])] * 6, rel=0.01)
    assert entry.field is not None


def test_the_report_follows_the_specs_and_keeps_what_was_changed() -> None:
    grid = make_grid((3, 32, 32))
    values = np.zeros(grid.shape)
    values[:, 4:14, 4:14] = 1
    values[1, 20:22, 20:22] = 1
    specs = {name: spec(name, minimum_island_cc=0.05) for name in ("Brainstem", "Parotid_L")}
    given = [segmentation(name, field_of(values)) for name in ("Parotid_L", "Brainstem")]
    structures, report = structure_set(make_source(3), grid, iter(given), specs)
    assert [roi.organ for roi in structures.rois] == ["Brainstem", "Parotid_L"]
    assert [entry.organ for entry in report.organs] == ["Brainstem", "Parotid_L"]
    assert report["Brainstem"].islands.count == 1
    assert report["Brainstem"].islands.volume_cc == pytest.approx(4 * 3 / 1000)
    assert report["Brainstem"].contours == 3
    assert report["Brainstem"].field.mask.sum() == 300


@pytest.mark.parametrize("label", ["", "seventeen letters", "tab\t", "back\\slash", "naïve"])
def test_labels_that_cannot_be_written_are_errors(label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        structure_set(make_source(3), make_grid((3, 8, 8)), [], {}, label=label)


def test_an_organ_twice_or_names_alike_are_errors() -> None:
    grid = make_grid((3, 32, 32))
    values = np.zeros(grid.shape)
    values[:, 4:14, 4:14] = 1
    twice = [segmentation("Brainstem", field_of(values))] * 2
    with pytest.raises(ValueError, match="more than one"):
        structure_set(make_source(3), grid, twice, {"Brainstem": spec("Brainstem")})
    alike = {"A": spec("A", name="Cord"), "B": spec("B", name="CORD")}
    with pytest.raises(ValueError, match="both be named"):
        structure_set(make_source(3), grid, [], alike)


def test_options_out_of_range_are_errors() -> None:
    for change in (
        {"tolerance_mm": 0.2},
        {"decimals": 0},
        {"max_points": 3},
        {"interpolate_gaps": -1},
    ):
        with pytest.raises(ValueError, match=r"\d"):
            dataclasses.replace(ContourOptions(), **change)
