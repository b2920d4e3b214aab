"""RTDOSE frames in every reading of their offsets, against a dose known at every point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from oarflow.dose.rtdose import read_rtdose
from tests.oarflow.dose.rtdose import COLUMNS, ROWS, dose_gy, write_rtdose

FIRST = (11.0, -7.0, 100.0)
HEAD_FIRST = {
    "supine": (1, 0, 0, 0, 1, 0),
    "prone": (-1, 0, 0, 0, -1, 0),
    "decubitus": (0, 1, 0, -1, 0, 0),
}
FEET_FIRST = {
    "supine": (-1, 0, 0, 0, 1, 0),
    "prone": (1, 0, 0, 0, -1, 0),
    "decubitus": (0, 1, 0, 1, 0, 0),
}
TILTED = {
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "oblique": (0.8, 0, 0.6, 0, 1, 0),
}
ORIENTATIONS = [*HEAD_FIRST.values(), *FEET_FIRST.values(), *TILTED.values()]
OFFSETS = {
    "ascending": (0.0, 3.0, 6.0, 9.0),
    "descending": (0.0, -3.0, -6.0, -9.0),
    "uneven": (0.0, 2.0, 3.5, 9.0),
    "two": (0.0, 3.0),
    "one": (0.0,),
}


def holds_the_dose(path: Path, planes: int) -> bool:
    """Whether every voxel has the dose of its place."""
    dose = read_rtdose(path)
    assert dose.grid.shape == (planes, ROWS, COLUMNS)
    points = dose.grid.index_to_patient(np.moveaxis(np.indices(dose.grid.shape), 0, -1))
    return bool(np.allclose(dose.voxels, dose_gy(points), atol=1e-4))


@pytest.mark.parametrize("offsets", OFFSETS.values(), ids=OFFSETS)
@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_offsets_from_zero_run_along_the_normal(
    tmp_path: Path, orientation: Sequence[float], offsets: Sequence[float]
) -> None:
    normal = np.cross(orientation[:3], orientation[3:])
    frames = np.array(FIRST) + np.array(offsets)[:, None] * normal
    write_rtdose(tmp_path / "dose.dcm", orientation, FIRST, offsets, frames)
    assert holds_the_dose(tmp_path / "dose.dcm", len(offsets))


@pytest.mark.parametrize("first_z", [100.0, -250.5])
@pytest.mark.parametrize("offsets", OFFSETS.values(), ids=OFFSETS)
@pytest.mark.parametrize("orientation", [*HEAD_FIRST.values(), *FEET_FIRST.values()], ids=str)
def test_offsets_from_the_first_z_are_z_coordinates(
    tmp_path: Path, orientation: Sequence[float], offsets: Sequence[float], first_z: float
) -> None:
    z = first_z + np.array(offsets)
    frames = np.column_stack((np.full_like(z, FIRST[0]), np.full_like(z, FIRST[1]), z))
    path = tmp_path / "dose.dcm"
    write_rtdose(path, orientation, (*FIRST[:2], first_z), z.tolist(), frames)
    assert holds_the_dose(path, len(offsets))
    unusual = orientation in FEET_FIRST.values() and len(offsets) > 1
    assert len(read_rtdose(path).remarks) == unusual


def test_a_rounded_first_offset_is_still_that_of_the_first_frame(tmp_path: Path) -> None:
    frames = np.add(FIRST, [(0, 0, 0), (0, 0, -3)])
    for first_z, offsets in ((100.0, (100.004, 97.004)), (100.0, (-1e-5, -3.00001))):
        head_first = HEAD_FIRST["supine"]
        write_rtdose(tmp_path / "a.dcm", head_first, (*FIRST[:2], first_z), offsets, frames)
        assert holds_the_dose(tmp_path / "a.dcm", 2)


def test_a_first_frame_at_z_zero_is_read_as_relative_with_a_remark(tmp_path: Path) -> None:
    path = tmp_path / "dose.dcm"
    first = (*FIRST[:2], 0.0)
    # Feet first, the normal points to the feet: three millimetres along it are z = -3.
    frames = np.add(first, [(0, 0, 0), (0, 0, -3)])
    write_rtdose(path, FEET_FIRST["supine"], first, (0, 3), frames)
    assert holds_the_dose(path, 2)
    assert "mirrored" in read_rtdose(path).remarks[0]


@pytest.mark.parametrize(
    ("orientation", "offsets", "reason"),
    [
        (HEAD_FIRST["supine"], (3, 6, 9), "first frame offset is 3 mm, neither 0 nor the z"),
        (FEET_FIRST["supine"], (-100, -97, -94), "first frame offset is -100 mm"),
        (HEAD_FIRST["supine"], (94, 97, 100), "first frame offset is 94 mm"),
        (HEAD_FIRST["supine"], (5,), "first frame offset is 5 mm"),
        (TILTED["coronal"], (100, 103, 106), "not transverse"),
        (TILTED["oblique"], (100, 103, 106), "not transverse"),
        (HEAD_FIRST["supine"], (0, 6, 3), "3 mm follows 6 mm"),
        (HEAD_FIRST["supine"], (0, 3, 3), "3 mm follows 3 mm"),
        (HEAD_FIRST["supine"], (0, 0, 3), "0 mm follows 0 mm"),
        (HEAD_FIRST["supine"], (0, -3, 3), "3 mm follows -3 mm"),
    ],
)
def test_offsets_that_fit_no_reading_are_refused(
    tmp_path: Path, orientation: Sequence[float], offsets: Sequence[float], reason: str
) -> None:
    frames = np.broadcast_to(FIRST, (len(offsets), 3))
    write_rtdose(tmp_path / "dose.dcm", orientation, FIRST, offsets, frames)
    with pytest.raises(ValueError, match=reason):
        read_rtdose(tmp_path / "dose.dcm")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"GridFrameOffsetVector": [0, 3]}, "GridFrameOffsetVector holds 2 numbers"),
        ({"GridFrameOffsetVector": [0, 3, 6, 9]}, "it needs 3"),
        ({"GridFrameOffsetVector": None}, "GridFrameOffsetVector holds 0 numbers"),
        ({"NumberOfFrames": None}, "GridFrameOffsetVector holds 3 numbers"),
        ({"NumberOfFrames": 2, "GridFrameOffsetVector": [0, 3]}, "more than the 2 frames"),
        ({"NumberOfFrames": 4, "GridFrameOffsetVector": [0, 3, 6, 9]}, "cannot be decoded"),
        ({"ImagePositionPatient": [1, 2]}, "ImagePositionPatient holds 2 numbers"),
        ({"ImageOrientationPatient": None}, "ImageOrientationPatient holds 0 numbers"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "right angles"),
        ({"PixelSpacing": [0, 2]}, "must be positive"),
    ],
)
def test_a_grid_that_is_not_whole_is_refused(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    frames = np.add(FIRST, [(0, 0, 0), (0, 0, 3), (0, 0, 6)])
    write_rtdose(tmp_path / "a.dcm", HEAD_FIRST["supine"], FIRST, (0, 3, 6), frames, **changes)
    with pytest.raises(ValueError, match=reason):
        read_rtdose(tmp_path / "a.dcm")


def test_a_single_frame_needs_no_offset(tmp_path: Path) -> None:
    changes = {"NumberOfFrames": None, "GridFrameOffsetVector": None, "FrameIncrementPointer": None}
    write_rtdose(tmp_path / "a.dcm", HEAD_FIRST["supine"], FIRST, (0,), [FIRST], **changes)
    assert holds_the_dose(tmp_path / "a.dcm", 1)


def test_a_single_frame_lies_at_its_position_in_either_reading(tmp_path: Path) -> None:
    for offset in (0.0, FIRST[2]):
        write_rtdose(tmp_path / "a.dcm", TILTED["coronal"], FIRST, (offset,), [FIRST])
        assert holds_the_dose(tmp_path / "a.dcm", 1)
