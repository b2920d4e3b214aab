"""Mask to file to patient: every way a CT may lie gives the same points in the patient.

The truth is an L of boxes in patient space, asymmetric about every plane. Its corners lie half-way
between voxel centres of each series by construction, so the contours' extremes and areas are known
by hand; nothing of the library is used to derive them.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from oarflow.rtstruct.check import inspect_file
from oarflow.rtstruct.raster import rasterise_roi
from oarflow.rtstruct.reader import read_structure_set
from tests.oarflow.rtstruct.cases import Case, box, joined, make_case
from tests.phantoms import ORIENTATIONS

SPACING = (2.0, 1.5)
"""Between rows, between columns: not square."""

ROWS, COLUMNS = 60, 72
EVEN = tuple(-24.0 + 3.0 * k for k in range(17))
UNEVEN = tuple(np.concatenate((np.arange(-24.0, 0.0, 3.0), np.arange(0.0, 25.0, 2.0))))
"""3 mm below the middle, 2 mm above."""


def l_shape(position: str) -> tuple[np.ndarray, np.ndarray]:
    """Low and high corners (2, 3) of the L's two boxes, each face half-way between voxel centres.

    Rows are 60 and columns 72, both even, so voxel centres lie at odd multiples of half a spacing
    from the middle, and faces at whole multiples: of 2 mm along rows' direction, of 1.5 mm along
    columns'. Multiples of 6 mm are on a face whichever way the patient lies.
    """
    assert position in ORIENTATIONS
    low = np.array([(-6.0, -18.0, -10.0), (-6.0, -18.0, -10.0)])
    high = np.array([(24.0, -6.0, 13.0), (6.0, 30.0, 13.0)])
    return low, high


def l_case(folder: Path, position: str, **changes: object) -> Case:
    low, high = l_shape(position)
    shape = joined(*(box(tuple(a), tuple(b)) for a, b in zip(low, high, strict=True)))
    settings = {
        "patient_position": position,
        "rows": ROWS,
        "columns": COLUMNS,
        "spacing_yx": SPACING,
        "offsets_mm": EVEN,
        **changes,
    }
    return make_case(folder, {"Parotid_L": shape}, **settings)


def points_of(path: Path) -> np.ndarray:
    """(n, 3) all points of the file's first ROI, by pydicom alone."""
    dataset = pydicom.dcmread(path)
    contours = dataset.ROIContourSequence[0].ContourSequence
    return np.concatenate(
        [np.reshape([float(v) for v in c.ContourData], (-1, 3)) for c in contours]
    )


def shoelace_by_z(path: Path) -> dict[float, float]:
    """Area of the polygons on each z, by the textbook formula."""
    areas: dict[float, float] = {}
    for contour in pydicom.dcmread(path).ROIContourSequence[0].ContourSequence:
        x, y, z = np.reshape([float(v) for v in contour.ContourData], (-1, 3)).T
        area = abs(sum(x[i - 1] * y[i] - x[i] * y[i - 1] for i in range(len(x)))) / 2
        areas[round(z[0], 3)] = areas.get(round(z[0], 3), 0.0) + area
    return areas


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
@pytest.mark.parametrize("position", ORIENTATIONS)
@pytest.mark.parametrize("offsets", [EVEN, UNEVEN], ids=["even", "uneven"])
def test_the_same_points_however_the_patient_lies(
    tmp_path: Path, position: str, order: str, offsets: tuple[float, ...]
) -> None:
    case = l_case(tmp_path, position, order=order, offsets_mm=offsets)
    points = points_of(case.path)
    # A feet-first normal points to the feet: the offset list runs the other way in z.
    sign = -1 if position.startswith("FF") else 1
    planes = sorted(sign * z for z in offsets)
    wanted = [z for z in planes if -10.0 < z < 13.0]
    assert sorted(set(points[:, 2].round(3))) == pytest.approx(wanted)
    assert points[:, :2].min(axis=0) == pytest.approx((-6.0, -18.0), abs=1e-3)
    assert points[:, :2].max(axis=0) == pytest.approx((24.0, 30.0), abs=1e-3)
    # Of the L's six corners the outline cuts five by half a pixel each way (2.0 * 1.5 / 8 mm2) and
    # fills the inner one by as much; area of the L: 30 * 12 + 12 * 36.
    area = 30.0 * 12.0 + 12.0 * 36.0 - (5 - 1) * SPACING[0] * SPACING[1] / 8
    assert list(shoelace_by_z(case.path).values()) == pytest.approx([area] * len(wanted), abs=0.2)
    # The empty corner of the bounding box tells every mirror image apart.
    assert not ((points[:, 0] > 8.0) & (points[:, 1] > -4.0)).any()


@pytest.mark.parametrize("position", ORIENTATIONS)
def test_files_of_all_positions_name_the_slice_they_lie_on(tmp_path: Path, position: str) -> None:
    case = l_case(tmp_path, position, order="shuffled", offsets_mm=UNEVEN)
    z_of = {
        uid: float(pydicom.dcmread(path).ImagePositionPatient[2])
        for uid, path in case.files.items()
    }
    for contour in pydicom.dcmread(case.path).ROIContourSequence[0].ContourSequence:
        z = np.reshape([float(v) for v in contour.ContourData], (-1, 3))[:, 2]
        uid = contour.ContourImageSequence[0].ReferencedSOPInstanceUID
        assert np.abs(z - z_of[uid]).max() <= 0.001


def turned(degrees: float, axis: int) -> tuple[np.ndarray, tuple[float, ...]]:
    """A rotation about a patient axis, and the head-first-supine cosines turned by it."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = [k for k in range(3) if k != axis]
    rotation = np.eye(3)
    rotation[i, i] = rotation[j, j] = c
    rotation[i, j], rotation[j, i] = -s, s
    return rotation, (*(rotation @ (1, 0, 0)), *(rotation @ (0, 1, 0)))


def slope(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """HU of a made-up body that differs on every plane, with air and soft tissue on each."""
    tissue = 40.0 + 0.4 * x + 0.6 * y + 0.5 * z
    return np.where(y + 0.3 * x + 0.2 * z < 10.0, tissue, -1000.0)


@pytest.mark.parametrize(
    ("degrees", "axis"), [*itertools.product((2.0, 20.0, 90.0), (0, 1)), (20.0, 2)]
)
def test_an_oblique_series_gives_the_turned_points(
    tmp_path: Path, degrees: float, axis: int
) -> None:
    rotation, cosines = turned(degrees, axis)
    low, high = l_shape("HFS")

    def shape(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        straight = np.stack((x, y, z), axis=-1) @ rotation  # The inverse: rotation transposed.
        boxes = joined(*(box(tuple(a), tuple(b)) for a, b in zip(low, high, strict=True)))
        return boxes(straight[..., 0], straight[..., 1], straight[..., 2])

    case = make_case(
        tmp_path,
        {"Parotid_L": shape},
        rows=ROWS,
        columns=COLUMNS,
        spacing_yx=SPACING,
        offsets_mm=UNEVEN,
        orientation=cosines,
        patient_position=None,
        anatomy=slope,
    )
    straight = points_of(case.path) @ rotation
    assert straight[:, :2].min(axis=0) == pytest.approx((-6.0, -18.0), abs=2e-3)
    assert straight[:, :2].max(axis=0) == pytest.approx((24.0, 30.0), abs=2e-3)
    planes = [z for z in UNEVEN if -10.0 < z < 13.0]
    for z in straight[:, 2]:
        assert min(abs(z - plane) for plane in planes) <= 2e-3
    assert not ((straight[:, 0] > 8.0) & (straight[:, 1] > -4.0)).any()


@pytest.mark.parametrize("offsets", [EVEN, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize("position", ORIENTATIONS)
def test_reader_rasteriser_and_self_check_agree_with_the_mask(
    tmp_path: Path, position: str, offsets: tuple[float, ...]
) -> None:
    case = l_case(tmp_path, position, offsets_mm=offsets)
    mask = rasterise_roi(
        read_structure_set(case.path).rois[0],
        case.volume.grid,
        sop_instance_uids=case.volume.source.sop_instance_uids,
    )
    field = case.fields["Parotid_L"]
    wanted = np.zeros(case.volume.grid.shape, dtype=bool)
    wanted[field.box] = field.mask
    assert not mask.remarks
    assert np.array_equal(mask.full(case.volume.grid.shape), wanted)
    report = inspect_file(
        case.path,
        case.files,
        case.fields,
        case.volume.grid,
        case.volume.source,
        hu=case.volume.hu,
    )
    assert report.passed, report


@pytest.mark.skipif(shutil.which("plastimatch") is None, reason="plastimatch is not installed")
@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP"])
def test_plastimatch_finds_the_same_voxels_in_the_patient(tmp_path: Path, position: str) -> None:
    """Decubitus and uneven stacks are left out: plastimatch's own grid cannot hold them."""
    case = l_case(tmp_path, position)
    subprocess.run(
        [
            "plastimatch",
            "convert",
            "--input",
            str(case.path),
            "--referenced-ct",
            str(tmp_path / "ct"),
            "--output-prefix",
            str(tmp_path / "masks"),
            "--prefix-format",
            "nrrd",
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    image = SimpleITK.ReadImage(str(tmp_path / "masks" / "Parotid_L.nrrd"))
    voxels = np.argwhere(SimpleITK.GetArrayFromImage(image))[:, ::-1]
    points = np.array([image.TransformIndexToPhysicalPoint([int(i) for i in v]) for v in voxels])
    field = case.fields["Parotid_L"]
    wanted = case.volume.grid.index_to_patient(np.argwhere(field.mask) + field.offset)
    assert sorted(map(tuple, points.round(2))) == sorted(map(tuple, wanted.round(2)))
