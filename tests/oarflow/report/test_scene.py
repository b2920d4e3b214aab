"""What is drawn lies where it was, and shows what was there."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from oarflow.geometry import Grid
from oarflow.report.scene import LONGEST_EDGE, code_table, make_scene, windowed
from oarflow.report.strips import AIRWAY, BONE, SOFT_TISSUE, TILES, filled, make_strips
from oarflow.volume import Volume
from tests.oarflow.report import cases


@pytest.fixture(scope="module")
def found() -> Volume:
    return cases.volume()


def area(points: np.ndarray) -> float:
    """Of a polygon, by the shoelace formula."""
    x, y = points.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


def test_rings_lie_on_what_they_outline(found: Volume) -> None:
    scene = make_scene(found, cases.structures(found))
    parotid = next(outline for outline in scene.outlines if outline.organ == "Parotid_L")
    assert tuple(parotid.rings) == tuple(range(cases.FIRST, cases.LAST + 1))
    assert (parotid.name, parotid.colour) == ("AI_Parotid_L", (255, 0, 0))
    rod = np.abs(code_table()[scene.codes[7]] - 90) < 5
    inside = filled(parotid.rings[7], rod.shape)
    assert rod.any()
    assert (rod & inside).sum() > 0.95 * rod.sum()
    (ring,) = parotid.rings[7]
    centre_row, centre_column = np.argwhere(rod).mean(axis=0)
    middle_x, middle_y = (ring.min(axis=0) + ring.max(axis=0)) / 2
    assert middle_x - 0.5 == pytest.approx(centre_column, abs=0.3)
    assert middle_y - 0.5 == pytest.approx(centre_row, abs=0.3)
    assert area(ring) * cases.PIXEL_MM**2 == pytest.approx(np.pi * cases.RADIUS_MM**2, rel=0.02)


def test_a_hole_stays_a_hole(found: Volume) -> None:
    scene = make_scene(found, cases.structures(found))
    larynx = next(outline for outline in scene.outlines if outline.organ == "Larynx")
    assert len(larynx.rings[9]) == 2
    shape = (scene.codes.shape[1], scene.codes.shape[2])
    pixels = filled(larynx.rings[9], shape).sum() * cases.PIXEL_MM**2
    assert pixels == pytest.approx(0.75 * np.pi * cases.RADIUS_MM**2, rel=0.15)


@pytest.mark.parametrize("longest", [20, 7])
def test_fine_images_are_averaged_and_rings_go_with_them(found: Volume, longest: int) -> None:
    whole = make_scene(found, cases.structures(found))
    small = make_scene(found, cases.structures(found), longest)
    assert max(small.codes.shape[1:]) <= longest < LONGEST_EDGE
    factor = small.pixel_mm[0] / whole.pixel_mm[0]
    assert factor == int(factor) > 1
    big, little = (scene.outlines[0].rings[9][0] for scene in (whole, small))
    assert little.max(axis=0) * factor == pytest.approx(big.max(axis=0), abs=0.11 * (factor + 1))


def test_codes_keep_hu() -> None:
    """Within half a step: 1.25 HU in soft tissue, 16 in air and bone."""
    hu = np.arange(-1024, 2001, dtype=np.float32)
    found = cases.volume((2, 55, 55))
    body = np.zeros((55, 55), dtype=np.float32)  # keeps all of the image in view
    none = replace(cases.structures(cases.volume()), rois=())
    scene = make_scene(replace(found, hu=np.stack((hu.reshape(55, 55), body))), none)
    back = code_table()[scene.codes[0]].ravel()
    error = np.abs(back - hu)
    assert error[(hu >= -50) & (hu <= 150)].max() <= 1.26
    assert error.max() <= 16


def test_window_ends_are_black_and_white() -> None:
    codes = np.arange(256, dtype=np.uint8)
    grey = windowed(codes, -160, 240)
    hu = code_table()
    assert set(grey[hu <= -160]) == {0}
    assert set(grey[hu >= 240]) == {255}
    assert int(grey[np.argmin(np.abs(hu - 40))]) == pytest.approx(127, abs=2)


@pytest.mark.parametrize(
    ("x", "y", "faces"),
    [
        ((1, 0, 0), (0, 1, 0), (("R", "L"), ("A", "P"), ("I", "S"))),
        ((-1, 0, 0), (0, -1, 0), (("L", "R"), ("P", "A"), ("I", "S"))),
        ((1, 0, 0), (0, 0, -1), (("R", "L"), ("S", "I"), ("A", "P"))),
    ],
)
def test_sides_are_named_by_the_patient(
    x: tuple[float, ...], y: tuple[float, ...], faces: object
) -> None:
    found = cases.volume()
    x_direction, y_direction = np.array(x, dtype=float), np.array(y, dtype=float)
    normal = np.cross(x_direction, y_direction)
    positions = np.arange(found.grid.shape[0])[:, None] * cases.STEP_MM * normal
    grid = Grid(positions, x_direction, y_direction, (2.0, 2.0), found.grid.shape)
    scene = make_scene(Volume(found.hu, grid, found.source), cases.structures(found))
    assert scene.faces == faces


def test_contours_beside_all_slices_are_left_out(found: Volume) -> None:
    structures = cases.structures(found)
    roi = structures.rois[0]
    lost = tuple(
        replace(c, sop_instance_uid=None, points_lps=c.points_lps + np.array((0, 0, 500)))
        for c in roi.contours
    )
    scene = make_scene(found, replace(structures, rois=(replace(roi, contours=lost),)))
    assert scene.outlines[0].rings == {}
    assert make_strips(scene) == ()


def test_strips_show_first_and_last_slice(found: Volume) -> None:
    strips = make_strips(make_scene(found, cases.structures(found)))
    assert [strip.outline.organ for strip in strips] == ["Parotid_L", "Larynx"]
    for strip in strips:
        shown = [tile.slice_index for tile in strip.tiles]
        assert len(shown) == TILES
        assert (shown[0], shown[-1]) == (cases.FIRST, cases.LAST)
        assert strip.tiles[0].position_mm == cases.ORIGIN_LPS[2] + cases.FIRST * cases.STEP_MM
        for tile in strip.tiles:
            assert Image.open(io.BytesIO(tile.jpeg)).size == (tile.width, tile.height)
            for ring in tile.rings:
                assert (ring >= 0).all()
                assert (ring <= (tile.width, tile.height)).all()


@pytest.mark.parametrize(("hu", "window"), [(90, SOFT_TISSUE), (900, BONE), (-900, AIRWAY)])
def test_the_window_fits_the_organ(found: Volume, hu: float, window: object) -> None:
    changed = np.where(found.hu == 90, np.float32(hu), found.hu)
    strips = make_strips(make_scene(replace(found, hu=changed), cases.structures(found)))
    assert strips[0].window == window
