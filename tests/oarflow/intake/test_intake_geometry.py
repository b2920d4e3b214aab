"""Where voxels lie in the patient: truth is computed here from the files' headers by the formula of
PS3.3 C.7.6.2.1.1, never with the library's own grid."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from oarflow.intake import SeriesRules, read_volume
from tests.phantoms import LEFT_BALL_LPS, ORIENTATIONS, make_series, write_series

MIRRORED_FEET_FIRST = (1, 0, 0, 0, 1, 0)


def points_of_dense_voxels(folder: Path) -> np.ndarray:
    """Patient coordinates of all voxels above 800 HU, (n, 3), straight from the files."""
    points = []
    for path in folder.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        hu = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        cosines = [float(v) for v in dataset.ImageOrientationPatient]
        first = [float(v) for v in dataset.ImagePositionPatient]
        between_rows, between_columns = (float(v) for v in dataset.PixelSpacing)
        for row, column in np.argwhere(hu > 800):
            points.append(
                [
                    first[i]
                    + cosines[i] * between_columns * column
                    + cosines[3 + i] * between_rows * row
                    for i in range(3)
                ]
            )
    return np.array(sorted(points))


def dense_voxels_of(volume) -> np.ndarray:
    found = volume.grid.index_to_patient(np.argwhere(volume.hu > 800))
    return np.array(sorted(found.round(6).tolist()))


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
@pytest.mark.parametrize("position", ORIENTATIONS)
def test_every_patient_position_gives_the_same_volume(tmp_path, position, order):
    write_series(tmp_path / "straight", make_series())
    write_series(tmp_path / "turned", make_series(patient_position=position), order=order)
    straight = read_volume(tmp_path / "straight").volume
    turned = read_volume(tmp_path / "turned").volume
    np.testing.assert_array_equal(turned.hu, straight.hu)
    np.testing.assert_allclose(turned.grid.positions_lps, straight.grid.positions_lps, atol=1e-9)
    np.testing.assert_allclose(turned.grid.x_direction, [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(turned.grid.y_direction, [0, 1, 0], atol=1e-12)


@pytest.mark.parametrize("position", ORIENTATIONS)
def test_landmark_keeps_its_patient_coordinates_with_unequal_spacing(tmp_path, position):
    series = make_series(
        patient_position=position,
        rows=40,
        columns=60,
        spacing_yx=(5.0, 3.5),
        centre_lps=(11.0, -7.0, 4.0),
    )
    write_series(tmp_path, series, order="shuffled")
    volume = read_volume(tmp_path).volume
    truth = points_of_dense_voxels(tmp_path)
    np.testing.assert_allclose(dense_voxels_of(volume), truth, atol=1e-5)
    np.testing.assert_allclose(truth.mean(axis=0), LEFT_BALL_LPS, atol=2.5)
    decubitus = position.endswith(("DR", "DL"))
    assert volume.hu.shape == ((16, 60, 40) if decubitus else (16, 40, 60))
    assert volume.grid.spacing_yx == ((3.5, 5.0) if decubitus else (5.0, 3.5))


def test_axes_run_to_left_back_and_head(tmp_path):
    write_series(tmp_path, make_series(patient_position="FFP"))
    volume = read_volume(tmp_path).volume
    z, y, x = np.argwhere(volume.hu > 800).mean(axis=0)
    assert x > 24, "the ball is in the patient's left"
    assert y < 24, "and in front of the middle"
    assert z > 7.5, "and above it"


def test_feet_first_shown_as_head_first_is_accepted(tmp_path):
    series = make_series(patient_position="FFS", orientation=MIRRORED_FEET_FIRST)
    write_series(tmp_path, series)
    volume = read_volume(tmp_path).volume
    np.testing.assert_allclose(dense_voxels_of(volume), points_of_dense_voxels(tmp_path), atol=1e-5)


def test_slices_are_named_in_the_order_of_the_grid(tmp_path):
    series = make_series(patient_position="FFS")
    write_series(tmp_path, series, order="shuffled")
    volume = read_volume(tmp_path).volume
    by_height = sorted(series, key=lambda dataset: float(dataset.ImagePositionPatient[2]))
    assert volume.source.sop_instance_uids == tuple(d.SOPInstanceUID for d in by_height)
    heights = [float(dataset.ImagePositionPatient[2]) for dataset in by_height]
    np.testing.assert_allclose(volume.grid.positions_lps[:, 2], heights, atol=1e-9)


def test_slice_location_and_instance_number_decide_nothing(tmp_path):
    series = make_series()
    for k, dataset in enumerate(series):
        dataset.InstanceNumber = 1
        dataset.SliceLocation = str((k * 7) % 16)
    write_series(tmp_path, series, order="shuffled")
    np.testing.assert_allclose(
        np.diff(read_volume(tmp_path).volume.grid.positions_lps[:, 2]), 3.0, atol=1e-9
    )


@pytest.mark.parametrize("degrees", [2.0, 20.0])
def test_an_oblique_series_keeps_its_planes_where_it_is_allowed(tmp_path, degrees):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    series = make_series(orientation=(1, 0, 0, 0, cosine, sine))
    write_series(tmp_path, series)
    volume = read_volume(tmp_path, SeriesRules(max_oblique_degrees=25)).volume
    np.testing.assert_allclose(volume.grid.normal, [0, -sine, cosine], atol=1e-6)
    np.testing.assert_allclose(dense_voxels_of(volume), points_of_dense_voxels(tmp_path), atol=1e-4)


def test_a_sagittal_series_keeps_its_rows_and_columns_where_it_is_allowed(tmp_path):
    series = make_series(orientation=(0, 1, 0, 0, 0, -1), slices=30, step_mm=4)
    write_series(tmp_path, series)
    volume = read_volume(tmp_path, SeriesRules(max_oblique_degrees=180)).volume
    np.testing.assert_allclose(volume.grid.x_direction, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(volume.grid.y_direction, [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(dense_voxels_of(volume), points_of_dense_voxels(tmp_path), atol=1e-5)


def test_each_slice_is_rescaled_by_its_own_slope_and_intercept(tmp_path):
    series = make_series()
    for k in (3, 9):
        stored = series[k].pixel_array
        series[k].RescaleSlope, series[k].RescaleIntercept = "2", "-1200"
        series[k].PixelData = ((stored - 1024.0 + 1200) / 2).round().astype("<u2").tobytes()
    write_series(tmp_path / "mixed", series)
    write_series(tmp_path / "same", make_series())
    mixed, same = (read_volume(tmp_path / name).volume.hu for name in ("mixed", "same"))
    assert np.abs(mixed - same).max() <= 1.0


def test_the_digest_follows_the_content_and_not_the_packing(tmp_path):
    write_series(tmp_path / "a", make_series())
    write_series(tmp_path / "b", make_series(transfer_syntax=pydicom.uid.RLELossless))
    changed = make_series()
    pixels = bytearray(changed[4].PixelData)
    pixels[100] ^= 1
    changed[4].PixelData = bytes(pixels)
    write_series(tmp_path / "c", changed)
    a, b, c = (read_volume(tmp_path / n).volume.source.pixel_digest for n in "abc")
    assert a == b != c
