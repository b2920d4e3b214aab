"""RTDOSE pixels as dose in Gy, and which RTDOSE of a folder is the plan's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.data import get_testdata_file

from oarflow.dose.figures import dose_inside
from oarflow.dose.rtdose import plan_dose, read_rtdose
from oarflow.geometry import Grid
from tests.oarflow.dose.plan import rtdose
from tests.oarflow.dose.rtdose import COLUMNS, ROWS, dose_gy, write_rtdose

AXIAL = (1, 0, 0, 0, 1, 0)
FIRST = (11.0, -7.0, 100.0)
OFFSETS = (0.0, 3.0, 6.0)
FRAMES = np.array(FIRST) + [(0, 0, mm) for mm in OFFSETS]


def written(path: Path, **changes: Any) -> Path:
    write_rtdose(path, AXIAL, FIRST, OFFSETS, FRAMES, **changes)
    return path


def stored(kind: str, values: Any) -> bytes:
    return np.broadcast_to(values, (len(FRAMES), ROWS, COLUMNS)).astype(kind).tobytes()


SIXTEEN = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "DoseGridScaling": "0.01"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"DoseGridScaling": None}, "DoseGridScaling holds 0 numbers"),
        ({"DoseGridScaling": "0"}, "DoseGridScaling is 0"),
        ({"DoseGridScaling": "-0.001"}, "DoseGridScaling is -0.001"),
        ({"DoseUnits": "RELATIVE"}, "not Gy"),
        ({"DoseUnits": None}, "not Gy"),
        ({"DoseType": "ERROR"}, "PHYSICAL, EFFECTIVE"),
        ({"PixelData": stored("<u4", 0)}, "all its values are zero"),
        ({"PixelRepresentation": 1, "PixelData": stored("<i4", -5)}, "negative dose"),
        ({**SIXTEEN, "PixelData": stored("<u2", 0x1000 | 2000)}, "other bits than the 12"),
        ({**SIXTEEN, "HighBit": 15, "PixelData": stored("<u2", 2000)}, r"high bit \(15\)"),
        (
            {**SIXTEEN, "PixelRepresentation": 1, "PixelData": stored("<u2", 0x0FFF)},
            "other bits than the 12",
        ),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "cannot be decoded"),
        ({"PixelData": None}, "no pixel data"),
    ],
)
def test_pixels_that_are_not_a_dose_are_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        read_rtdose(written(tmp_path / "dose.dcm", **changes))


def test_damaged_headers_are_refused_with_a_reason(tmp_path: Path) -> None:
    path = written(tmp_path / "dose.dcm")
    whole = path.read_bytes()
    header = len(whole) - 4 * len(FRAMES) * ROWS * COLUMNS
    random = np.random.default_rng(1)
    reasons = []
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[random.integers(132, header)] = random.integers(256)
        path.write_bytes(damaged)
        try:
            plan_dose([path])
        except ValueError as error:
            reasons.append(str(error))
    assert len(reasons) > 100
    assert all("RTDOSE" in reason for reason in reasons)


def test_unused_bits_that_are_zero_change_nothing(tmp_path: Path) -> None:
    changes = {**SIXTEEN, "PixelData": stored("<u2", 2000)}
    assert np.allclose(read_rtdose(written(tmp_path / "dose.dcm", **changes)).voxels, 20.0)
    changes["PixelRepresentation"] = 1
    assert np.allclose(read_rtdose(written(tmp_path / "dose.dcm", **changes)).voxels, 20.0)


def test_every_encoding_gives_the_same_dose(tmp_path: Path) -> None:
    found = []
    for name in ("rtdose.dcm", "rtdose_rle.dcm", "rtdose_expb.dcm"):
        dataset = dcmread(str(get_testdata_file(name)))
        dataset.DoseUnits = "GY"
        dataset.save_as(tmp_path / name)
        found.append(read_rtdose(tmp_path / name).voxels)
    # The file of pydicom has 15 frames of 10 x 10.
    assert found[0].shape == (15, 10, 10)
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_a_file_without_meta_information_is_read(tmp_path: Path) -> None:
    dataset = dcmread(written(tmp_path / "dose.dcm"))
    bare = Dataset()
    bare.update(dataset)
    for implicit in (True, False):
        path = tmp_path / f"{implicit}.dcm"
        dcmwrite(path, bare, implicit_vr=implicit, little_endian=True)
        assert "TransferSyntaxUID" not in dcmread(path, force=True).file_meta
        assert read_rtdose(path).voxels[0, 0, 0] == pytest.approx(dose_gy(FIRST))


@pytest.mark.parametrize(
    ("kind", "remarks"), [("PLAN", ()), ("MULTI_PLAN", ("it sums several plans (MULTI_PLAN)",))]
)
def test_one_dose_of_all_that_is_delivered_is_taken(
    tmp_path: Path, kind: str, remarks: tuple[str, ...]
) -> None:
    whole = written(tmp_path / "whole.dcm", DoseSummationType=kind)
    beams = [written(tmp_path / f"{n}.dcm", DoseSummationType="BEAM") for n in (1, 2)]
    found = plan_dose([*beams, whole])
    assert found.voxels[0, 0, 0] == pytest.approx(dose_gy(FIRST))
    assert found.remarks == remarks


def test_a_dose_that_does_not_say_what_it_sums_is_taken_with_a_remark(tmp_path: Path) -> None:
    found = plan_dose([written(tmp_path / "a.dcm", DoseSummationType=None)])
    assert "whole plan" in found.remarks[0]


def test_a_dose_without_a_frame_of_reference_is_taken_with_a_remark(tmp_path: Path) -> None:
    found = plan_dose([written(tmp_path / "a.dcm", FrameOfReferenceUID=None)])
    assert "no frame of reference" in found.remarks[0]


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        (["PLAN", "MULTI_PLAN"], r"2 RTDOSE of a whole plan \(there are: 1 MULTI_PLAN, 1 PLAN\)"),
        (["MULTI_PLAN", "MULTI_PLAN"], r"2 RTDOSE .*2 MULTI_PLAN"),
        (["BEAM", "BEAM", "FRACTION"], r"0 RTDOSE .*2 BEAM, 1 FRACTION"),
        (["OTHER", "PLAN", None], r"2 RTDOSE .*1 PLAN, 2 of no known type\)"),
        (["PLAN_OVERVIEW"], "0 RTDOSE of a whole plan"),
        ([], "0 RTDOSE of a whole plan; leave exactly one"),
    ],
)
def test_several_doses_or_none_of_a_plan_are_named(
    tmp_path: Path, kinds: list[str | None], reason: str
) -> None:
    paths = [written(tmp_path / f"{n}.dcm", DoseSummationType=kind) for n, kind in enumerate(kinds)]
    with pytest.raises(ValueError, match=reason):
        plan_dose(paths)


def test_dose_is_known_between_the_outermost_voxels_and_nowhere_else(tmp_path: Path) -> None:
    dose = read_rtdose(written(tmp_path / "dose.dcm"))
    # The dose's outermost centres are x 11 to 23, y -7 to 8, z 100 to 106 mm.
    steps = np.arange(12)
    positions = np.array((11.0 - 2, -7.0 - 2, 100.0 - 1.5)) + steps[:, None] * (0, 0, 0.75)
    grid = Grid(positions, np.array((1.0, 0, 0)), np.array((0, 1.0, 0)), (0.5, 0.5), (12, 40, 40))
    mask = np.ones(grid.shape, dtype=bool)
    points = grid.index_to_patient(np.argwhere(mask))
    within = ((points >= (11, -7, 100)) & (points <= (23, 8, 106))).all(axis=1)
    found = dose_inside(dose, mask, grid)
    assert np.array_equal(~np.isnan(found), within)
    assert found[within] == pytest.approx(dose_gy(points[within]), abs=1e-4)
    assert 0 < within.sum() < within.size


def test_rounded_positions_do_not_push_a_slice_off_the_dose(tmp_path: Path) -> None:
    dose = read_rtdose(written(tmp_path / "dose.dcm"))
    for z, known in ((99.995, True), (106.005, True), (99.98, False), (106.02, False)):
        place = np.array([(11.0, -7.0, z)])
        grid = Grid(place, np.array((1.0, 0, 0)), np.array((0, 1.0, 0)), (1.0, 1.0), (1, 1, 1))
        found = dose_inside(dose, np.ones((1, 1, 1), dtype=bool), grid)
        assert bool(np.isfinite(found[0])) is known


def test_a_single_frame_covers_its_own_plane_alone(tmp_path: Path) -> None:
    write_rtdose(tmp_path / "dose.dcm", AXIAL, FIRST, (0,), [FIRST])
    dose = read_rtdose(tmp_path / "dose.dcm")
    positions = np.array(FIRST) + [(0, 0, mm) for mm in (-1, 0, 1)]
    grid = Grid(positions, np.array((1.0, 0, 0)), np.array((0, 1.0, 0)), (1.0, 1.0), (3, 2, 2))
    found = dose_inside(dose, np.ones((3, 2, 2), dtype=bool), grid).reshape(3, 4)
    assert np.isfinite(found).all(axis=1).tolist() == [False, True, False]


def test_what_is_no_dose_of_a_plan_is_said(tmp_path: Path) -> None:
    rtdose(tmp_path / "a.dcm", DoseUnits="RELATIVE")
    with pytest.raises(ValueError, match="not Gy"):
        read_rtdose(tmp_path / "a.dcm")
    rtdose(tmp_path / "b.dcm", GridFrameOffsetVector=[0, 4])
    with pytest.raises(ValueError, match="do not fit"):
        read_rtdose(tmp_path / "b.dcm")
    rtdose(tmp_path / "c.dcm", DoseSummationType="BEAM")
    with pytest.raises(ValueError, match="0 RTDOSE of a whole plan"):
        plan_dose([tmp_path / "c.dcm"])
    (tmp_path / "d.dcm").write_bytes(b"no dicom at all" * 20)
    with pytest.raises(ValueError, match="RTDOSE"):
        read_rtdose(tmp_path / "d.dcm")


@pytest.mark.parametrize("kind", ["ERROR", "", None])
def test_a_dose_of_another_type_is_refused(tmp_path: Path, kind: str | None) -> None:
    rtdose(tmp_path / "dose.dcm", DoseType=kind)
    with pytest.raises(ValueError, match="type is none of PHYSICAL, EFFECTIVE"):
        read_rtdose(tmp_path / "dose.dcm")
    rtdose(tmp_path / "dose.dcm", DoseType="EFFECTIVE", FrameOfReferenceUID="1.2.3")
    found = read_rtdose(tmp_path / "dose.dcm")
    assert (found.kind, found.frame) == ("EFFECTIVE", "1.2.3")
