"""Any mask or field is contoured, soundly, or said to be refused: never an exception."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite

from oarflow.rtstruct.contours import (
    TOO_SMALL,
    ContourOptions,
    HoleStyle,
    organ_contours,
    structure_set,
)
from oarflow.rtstruct.model import Contour
from oarflow.rtstruct.outlines import MIN_RING_AREA_MM2
from oarflow.rtstruct.writer import rtstruct_dataset
from tests.oarflow.rtstruct.hand import (
    PROVENANCE,
    WHEN,
    field_of,
    make_grid,
    make_source,
    segmentation,
    spec,
)

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 14), st.integers(1, 14))
MASKS = SHAPES.flatmap(lambda shape: arrays(np.bool_, shape))
FIELDS = SHAPES.flatmap(lambda shape: arrays(np.float32, shape, elements=st.floats(0, 1, width=32)))


def row_major_pixels(contours: tuple[Contour, ...], k: int, grid, source) -> NDArray[np.bool_]:
    """Pixel centres of slice k inside the contours, even-odd, by shapely."""
    rings = [
        shapely.Polygon(c.points_lps[:, :2])
        for c in contours
        if c.sop_instance_uid == source.sop_instance_uids[k]
    ]
    rows, columns = np.mgrid[: grid.shape[1], : grid.shape[2]]
    x = grid.positions_lps[k, 0] + columns * grid.spacing_yx[1]
    y = grid.positions_lps[k, 1] + rows * grid.spacing_yx[0]
    inside = np.zeros(grid.shape[1:], dtype=int)
    for ring in rings:
        inside += _crossings_odd(ring.exterior.coords, x, y)
    return inside % 2 == 1


def _crossings_odd(coordinates, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray:
    odd = np.zeros(x.shape, dtype=bool)
    points = np.array(coordinates)
    for (x0, y0), (x1, y1) in pairwise(points):
        if y0 == y1:
            continue
        spans = (y0 > y) != (y1 > y)
        odd ^= spans & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return odd


@settings(deadline=None, max_examples=150)
@given(MASKS, st.sampled_from(HoleStyle))
def test_unsimplified_contours_of_a_mask_hold_exactly_its_pixel_centres(
    mask: NDArray[np.bool_], holes: HoleStyle
) -> None:
    grid, source = make_grid(mask.shape), make_source(mask.shape[0])
    options = ContourOptions(tolerance_mm=0, hole_style=holes)
    contours, entry = organ_contours(source, grid, field_of(mask), spec(), options)
    assert entry.refused is None or not mask.any()
    for k in range(mask.shape[0]):
        assert np.array_equal(row_major_pixels(contours, k, grid, source), mask[k])


@settings(deadline=None, max_examples=150)
@given(FIELDS, st.sampled_from([0.0, 0.02, 0.1]), st.sampled_from([0.4, 1.0, 2.5]))
def test_outlines_of_any_field_neither_touch_nor_cross(
    values: NDArray[np.float32], tolerance_mm: float, pixel_mm: float
) -> None:
    grid = make_grid(values.shape, (pixel_mm, pixel_mm))
    source = make_source(values.shape[0])
    options = ContourOptions(tolerance_mm=tolerance_mm, hole_style=HoleStyle.XOR)
    contours, entry = organ_contours(source, grid, field_of(values), spec(), options)
    assert entry.refused in (None, TOO_SMALL)
    for uid in source.sop_instance_uids:
        rings = [c.points_lps[:, :2] for c in contours if c.sop_instance_uid == uid]
        outlines = shapely.union_all([shapely.LinearRing(ring) for ring in rings])
        assert all(shapely.Polygon(ring).is_valid for ring in rings)
        assert all(shapely.Polygon(ring).area >= MIN_RING_AREA_MM2 for ring in rings)
        assert all(len(np.unique(ring, axis=0)) == len(ring) >= 3 for ring in rings)
        assert len(shapely.get_parts(shapely.polygonize([outlines]))) <= len(rings)
        assert np.isclose(outlines.length, sum(shapely.LinearRing(r).length for r in rings))


@settings(deadline=None, max_examples=60)
@given(FIELDS, st.integers(0, 3))
def test_any_field_can_be_written_and_read_by_pydicom(
    values: NDArray[np.float32], interpolate: int
) -> None:
    grid, source = make_grid(values.shape), make_source(values.shape[0])
    structures, report = structure_set(
        source,
        grid,
        [segmentation("Parotid_L", field_of(values))],
        {"Parotid_L": spec(minimum_island_cc=0.005)},
        options=ContourOptions(interpolate_gaps=interpolate),
    )
    assert report["Parotid_L"].contours == sum(len(roi.contours) for roi in structures.rois)
    if not structures.rois:
        assert not report["Parotid_L"].contours
        return
    dataset = rtstruct_dataset(structures, source, grid, provenance=PROVENANCE, when=WHEN)
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True, implicit_vr=True, little_endian=True)
    buffer.seek(0)
    contours = dcmread(buffer).ROIContourSequence[0].ContourSequence
    for item, contour in zip(contours, structures.rois[0].contours, strict=True):
        read = np.array(item.ContourData, dtype=float).reshape(-1, 3)
        assert np.array_equal(read, contour.points_lps)


def test_a_checkerboard_and_its_negative_over_a_full_frame() -> None:
    rows, columns = np.mgrid[:96, :96]
    for parity in (0, 1):
        mask = ((rows + columns) % 2 == parity)[None]
        grid, source = make_grid(mask.shape), make_source(1)
        contours, entry = organ_contours(source, grid, field_of(mask), spec())
        assert entry.contours == mask.sum()
        assert np.array_equal(row_major_pixels(contours, 0, grid, source), mask[0])


def test_a_frame_with_too_many_holes_for_one_contour_is_refused_with_a_reason() -> None:
    mask = np.ones((1, 128, 128), dtype=bool)
    mask[0, 1::2, 1::2] = False
    contours, entry = organ_contours(make_source(1), make_grid(mask.shape), field_of(mask), spec())
    assert contours == ()
    assert entry.refused is not None
    assert "too long" in entry.refused


def test_rings_within_rings_keep_every_level() -> None:
    mask = np.zeros((1, 64, 64), dtype=bool)
    for margin in range(1, 31, 2):
        mask[0, margin : 64 - margin, margin : 64 - margin] = margin % 4 == 1
    grid, source = make_grid(mask.shape), make_source(1)
    contours, entry = organ_contours(source, grid, field_of(mask), spec())
    assert entry.contours == 8
    assert np.array_equal(row_major_pixels(contours, 0, grid, source), mask[0])
