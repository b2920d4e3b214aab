"""Folders as they come: HaN-Seg's, unequal slices, moved contours, nothing contoured."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import Dataset, dcmread

from oarflow.commands import main
from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.references import write_references
from oarflow.evaluation.comparison.folders import compare
from oarflow.organs import load_catalogue
from tests.oarflow.datasets.made_up import STRAIGHT as LAYOUT
from tests.oarflow.datasets.made_up import inside, write_hanseg, write_nrrd

CATALOGUE = load_catalogue()
LOW_MM, HIGH_MM = 15.0, 42.0
"""The organ's slices, of whatever distance, have their centres between these."""

FRAME = "1.2.826.0.1.3680043.8.498.1"


def write_scan(folder: Path, step: float) -> list[float]:
    """A CT of slices `step` apart and its RTSTRUCT, in one frame of reference.

    Returns the heights of the slices that hold the organ, 8 x 6 pixels of 2 mm on each.
    """
    count = int(60 / step)
    z = step * np.arange(count)
    ct = np.full((count, 32, 40), -1000, dtype=np.int16)
    ct[2:-2, 4:28, 4:36] = 20 + np.arange(2, count - 2)[:, None, None]
    mask = np.zeros(ct.shape, dtype=bool)
    held = (z >= LOW_MM) & (z <= HIGH_MM)
    mask[held, 10:18, 27:33] = True
    case = Case("a", ct, (step, 2.0, 2.0), {"Parotid_L": mask}, origin_lps=(10.0, 20.0, 0.0))
    write_ct(case, folder / "ct")
    write_references(case, folder / "ct", folder / "rs.dcm")
    for path in folder.rglob("*.dcm"):
        edit(path, in_one_frame)
    return z[held].tolist()


def edit(path: Path, change: Callable[[Dataset], None]) -> None:
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(path)


def in_one_frame(dataset: Dataset) -> None:
    if "FrameOfReferenceUID" in dataset:
        dataset.FrameOfReferenceUID = FRAME
    for item in dataset.get("ReferencedFrameOfReferenceSequence", ()):
        item.FrameOfReferenceUID = FRAME
    for item in dataset.get("StructureSetROISequence", ()):
        item.ReferencedFrameOfReferenceUID = FRAME


def shifted(axis: int, mm: float) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        for item in dataset.ROIContourSequence:
            for contour in item.ContourSequence:
                values = [float(value) for value in contour.ContourData]
                values[axis::3] = [value + mm for value in values[axis::3]]
                contour.ContourData = [f"{value:.2f}" for value in values]

    return change


@pytest.mark.parametrize("ct", [True, False], ids=["with CT", "without CT"])
@pytest.mark.parametrize(("reference", "prediction"), [(3.0, 2.5), (3.0, 2.0), (2.0, 3.0)])
def test_contours_of_another_slice_distance(
    tmp_path: Path, reference: float, prediction: float, ct: bool
) -> None:
    wanted = write_scan(tmp_path / "r" / "a", reference)
    drawn = write_scan(tmp_path / "p" / "a", prediction)
    if not ct:
        for path in (tmp_path / "p" / "a" / "ct").iterdir():
            path.unlink()
    (only,) = compare(tmp_path / "r", tmp_path / "p", CATALOGUE).cases
    (one,) = only.scores
    # The slab that the prediction's slices fill, and the reference's slices whose centres it holds.
    low, high = drawn[0] - prediction / 2, drawn[-1] + prediction / 2
    every = np.arange(0, 60, reference)
    taken = every[(every >= low) & (every < high)].tolist()
    shared = len(set(taken) & set(wanted))
    assert one.dsc == pytest.approx(2 * shared / (len(taken) + len(wanted)))
    assert one.dsc > 0.9
    assert one.volume_cc == pytest.approx(len(taken) * 8 * 6 * 4 * reference / 1000)
    # On their own CT all contours lie on slices; without it some lie between the reference's.
    assert bool(only.remarks) is not ct


def test_contours_moved_off_their_slices_are_measured_and_counted(tmp_path: Path) -> None:
    for name, axis, mm in (("z1", 2, 1.0), ("z2", 2, 2.0), ("beyond", 0, 200.0), ("same", 2, 0.0)):
        heights = write_scan(tmp_path / "r" / name, 3.0)
        write_scan(tmp_path / "p" / name, 3.0)
        edit(tmp_path / "p" / name / "rs.dcm", shifted(axis, mm))
    count = len(heights)
    flags = ["--reference", str(tmp_path / "r"), "--prediction", str(tmp_path / "p")]
    assert main(["evaluate", "compare", *flags, "--output", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "scores.csv").open() as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    # To the nearest slice: 1 mm of 3 is none, 2 mm is one of ten.
    assert float(rows["same"]["dsc"]) == float(rows["z1"]["dsc"]) == 1
    assert float(rows["z2"]["dsc"]) == pytest.approx((count - 1) / count, abs=1e-5)
    # Beyond its own CT it is as large as it is drawn, and far away.
    assert float(rows["beyond"]["dsc"]) == 0
    assert float(rows["beyond"]["volume_cc"]) == float(rows["same"]["volume_cc"])
    assert float(rows["beyond"]["hd95_mm"]) == 200
    report = (tmp_path / "out" / "report.txt").read_text()
    words = "prediction, Parotid_L: 10 contours on no slice's plane"
    assert f"z1, {words}" in report
    assert f"z2, {words}" in report
    assert "beyond, prediction, Parotid_L: 10 contours reaching beyond the CT" in report
    assert "same, " not in report


def test_hansegs_own_layout_is_compared_organ_by_organ(tmp_path: Path) -> None:
    for side in "rp":
        write_hanseg(tmp_path / side, "case_01")
    place = tmp_path / "p" / "set_1" / "case_01"
    (place / "case_01_OAR_SpinalCord.seg.nrrd").unlink()
    moved = np.roll(inside("Parotid_L")(LAYOUT.points()), 1, axis=2)
    write_nrrd(place / "case_01_OAR_Left Parotid.seg.nrrd", moved, LAYOUT)
    (place / "case_01_OAR_Parotid_L.seg.nrrd").unlink()
    found = compare(tmp_path / "r" / "set_1", tmp_path / "p" / "set_1", CATALOGUE)
    # Eleven columns, ten of them shared; no CT, no MR.
    assert {one.organ: one.dsc for one in found.scores} == {
        "Parotid_L": pytest.approx(10 / 11),
        "Parotid_R": 1.0,
    }
    assert found.left_out == {"SpinalCord": 1}
    assert found.cases[0].extra == ()


def test_what_contoured_nothing_counts_as_missed(tmp_path: Path) -> None:
    names = ("drawn", "empty", "refused", "no contour", "no folder", "damaged", "cut")
    for name in names:
        write_scan(tmp_path / "r" / name, 3.0)
    for name in ("drawn", "no contour", "cut"):
        write_scan(tmp_path / "p" / name, 3.0)
    for name in ("empty", "refused", "damaged", "alone"):
        (tmp_path / "p" / name).mkdir()
    (tmp_path / "p" / "refused" / "result.json").write_text("{}")
    (tmp_path / "p" / "damaged" / "rs.dcm").write_bytes(b"")

    def without(dataset: Dataset) -> None:
        dataset.ROIContourSequence = []

    edit(tmp_path / "p" / "no contour" / "rs.dcm", without)
    path = tmp_path / "p" / "cut" / "rs.dcm"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    flags = ["--reference", str(tmp_path / "r"), "--prediction", str(tmp_path / "p")]
    # 3: it was done, but for cases that could not be read.
    assert main(["evaluate", "compare", *flags, "--output", str(tmp_path / "out")]) == 4
    with (tmp_path / "out" / "scores.csv").open() as file:
        rows = {row["case"]: float(row["dsc"]) for row in csv.DictReader(file)}
    missed = dict.fromkeys(("empty", "refused", "no contour", "no folder"), 0.0)
    assert rows == {"drawn": 1.0, **missed}
    report = (tmp_path / "out" / "report.txt").read_text()
    head = report.partition("\n\n")[0]
    assert "5 cases, 5 contours, 4 of them not contoured" in head
    assert "NOT COMPARED, in no figure: 2 cases (cut, damaged)" in head
    assert "counted as missed: empty, no contour, no folder, refused" in head
    assert "Cases of the prediction alone, not used: alone" in report
    # One of five: the missed are in the mean.
    assert "0.200" in report


@pytest.mark.parametrize(
    ("spacing", "origin"),
    [
        ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
        ((2.0, 2.5, 4.0), (0.0, 0.0, 0.0)),
        ((1.0, 1.0, 1.0), (-60.0, -50.0, -40.0)),
    ],
)
def test_a_file_that_lost_its_header_is_not_compared(
    tmp_path: Path, spacing: tuple[float, ...], origin: tuple[float, ...]
) -> None:
    mask = inside("Parotid_L")(LAYOUT.points())
    for case in ("whole", "lost"):
        write_nrrd(tmp_path / "r" / case / "Parotid_L.nrrd", mask, LAYOUT)
        write_nrrd(tmp_path / "p" / case / "Parotid_L.nrrd", mask, LAYOUT)
    image = SimpleITK.GetImageFromArray(mask)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    SimpleITK.WriteImage(image, str(tmp_path / "p" / "lost" / "Parotid_L.nrrd"))
    lost, whole = compare(tmp_path / "r", tmp_path / "p", CATALOGUE).cases
    assert whole.scores[0].dsc == 1
    assert lost.scores == ()
    assert "61 x 41 x 21 voxels" in lost.failed
