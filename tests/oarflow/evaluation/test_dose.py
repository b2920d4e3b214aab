"""Dose statistics by hand, RTDOSE in patient space, and the page from folders and from OpenKBP."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage, generate_uid

from oarflow.commands import main
from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case, Image
from oarflow.datasets.dose import dose_inside, plan_dose, read_rtdose
from oarflow.datasets.references import write_references
from oarflow.evaluation.application import ModelFile, Run
from oarflow.evaluation.dose import DVH_GY, OrganDose, histogram, statistics
from oarflow.evaluation.dose_tables import limits, table
from oarflow.structures import Status
from tests.oarflow.evaluation.cases import SHAPE, made_up, result


def test_statistics_of_a_hundred_voxels() -> None:
    dose = np.random.default_rng(1).permutation(np.arange(1.0, 101.0))
    found = statistics(dose)
    # The hottest 2 % are 99 and 100 Gy.
    assert (found.mean_gy, found.max_gy, found.d2_gy) == (50.5, 100.0, 99.0)
    # Two per cent of 101 voxels are more than two: three.
    assert statistics(np.arange(0.0, 101.0)).d2_gy == 98.0
    assert statistics(np.array([7.0])).d2_gy == 7.0
    with pytest.raises(ValueError, match="without voxels"):
        statistics(np.array([]))


def test_a_histogram_by_hand() -> None:
    found = dict(zip(DVH_GY.tolist(), histogram(np.array([10.0, 10.0, 20.0, 40.0])), strict=True))
    assert (found[0.0], found[10.0], found[10.5], found[20.0], found[40.0]) == (
        1,
        1,
        0.5,
        0.5,
        0.25,
    )
    assert found[40.5] == 0


def rtdose(path: Path, *, reverse: bool = False, absolute: bool = False, **changes: object) -> None:
    """A dose of x + 100 z mGy (mm, LPS) on a grid of 5 x 3 x 4 mm from (-50, -40, 0)."""
    columns, rows, frames = 21, 30, 15
    x = -50 + 5.0 * np.arange(columns)
    z = 4.0 * np.arange(frames)
    values = (x + 50)[None, None, :] + 100 * z[:, None, None] + np.zeros((1, rows, 1))
    offsets = z[::-1] - z[-1] if reverse else z
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = RTDoseStorage, generate_uid()
    dataset.Modality, dataset.DoseUnits, dataset.DoseType = "RTDOSE", "GY", "PHYSICAL"
    dataset.DoseSummationType = "PLAN"
    dataset.DoseGridScaling = "0.001"
    dataset.ImagePositionPatient = [-50, -40, float(z[-1] if reverse else z[0])]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [3, 5]
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = rows, columns, frames
    start = dataset.ImagePositionPatient[2] if absolute else 0
    dataset.GridFrameOffsetVector = (offsets + start).tolist()
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 32, 32, 31
    dataset.PixelRepresentation = 0
    stored = values[::-1] if reverse else values
    dataset.PixelData = np.rint(stored).astype("<u4").tobytes()
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(path, dataset, enforce_file_format=True)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("absolute", [False, True])
def test_rtdose_lies_where_its_offsets_say(tmp_path: Path, reverse: bool, absolute: bool) -> None:
    path = tmp_path / "dose.dcm"
    rtdose(path, reverse=reverse, absolute=absolute)
    dose = read_rtdose(path)
    case = made_up()
    mask = np.zeros(SHAPE, dtype=bool)
    mask[3, 10, 20] = mask[7, 5, 30] = True
    points = case.grid.index_to_patient(np.argwhere(mask))
    expected = [(x + 50 + 100 * z) / 1000 for x, _, z in points]
    assert dose_inside(dose, mask, case.grid) == pytest.approx(expected)


def test_beyond_the_dose_grid_the_dose_is_not_known(tmp_path: Path) -> None:
    rtdose(tmp_path / "dose.dcm")
    dose = read_rtdose(tmp_path / "dose.dcm")
    grid = Case("a", np.zeros((2, 2, 2), np.int16), (4.0, 3.0, 5.0), origin_lps=(45, 44, 56)).grid
    found = dose_inside(dose, np.ones((2, 2, 2), dtype=bool), grid)
    # The dose reaches y = 47, x = 50 and z = 56 mm: the slice at 60 mm is beyond it.
    assert found[:4] == pytest.approx([(x + 50 + 100 * 56) / 1000 for x in (45, 50, 45, 50)])
    assert np.isnan(found).tolist() == 4 * [False] + 4 * [True]


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


def one(case: str, organ: str, clinical: Sequence[float], predicted: Sequence[float] | None):
    sides = [None if side is None else np.array(side) for side in (clinical, predicted)]
    assert sides[0] is not None
    return OrganDose(
        case,
        organ,
        statistics(sides[0]),
        None if sides[1] is None else statistics(sides[1]),
        1.0,
        histogram(sides[0]),
        None if sides[1] is None else histogram(sides[1]),
    )


def test_the_tables_by_hand() -> None:
    doses = [
        one("a", "Parotid_L", [20, 30], [24, 34]),
        one("b", "Parotid_L", [10, 20], [10, 18]),
        one("c", "Parotid_L", [10, 20], None),
    ]
    lines = table(doses).splitlines()
    # Clinical means 25 and 15, predicted 29 and 14: differences +4 and -1.
    assert (
        "| Parotid_L | 2 | 1 | 0 | Dmean | 20.00 (7.07) | 21.50 (10.61) | +1.50 (3.54) |"
        in lines[2]
    )
    assert "| 2.50 | 4.0 |" in lines[2]
    # Means of 25 and 15 Gy are within 26 Gy, of 29 and 14 only the second.
    assert "| Parotid_L | Dmean 26 Gy | 2 | 0 | 2 | 1 | 1 |" in limits(doses)


def test_folders_with_rtdose(tmp_path: Path) -> None:
    case = made_up()
    for side, shift in (("r", 0), ("p", 1)):
        folder = tmp_path / side / "a"
        write_ct(case, folder / "ct")
        organs = ("Parotid_L", "SpinalCord")
        masks = {organ: np.roll(case.masks[organ], shift, axis=2) for organ in organs}
        moved = Case(case.id, case.ct, case.spacing_zyx, masks, origin_lps=case.origin_lps)
        write_references(moved, folder / "ct", folder / "rs.dcm")
    rtdose(tmp_path / "r" / "a" / "dose.dcm")
    flags = ["--reference", str(tmp_path / "r"), "--prediction", str(tmp_path / "p")]
    assert main(["evaluate", "dose", *flags, "--output", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "dose.csv").open() as file:
        rows = {row["organ"]: row for row in csv.DictReader(file)}
    # Columns 27 to 32 of 2 mm from x = -39, slices 6 to 10 of 3 mm from z = 5.
    mean = (-39 + 29.5 * 2 + 50 + 100 * (5 + 8 * 3)) / 1000
    assert float(rows["Parotid_L"]["clinical_mean_gy"]) == pytest.approx(mean, abs=1e-3)
    # Moved by 2 mm to the left: 2 mGy more.
    assert float(rows["Parotid_L"]["predicted_mean_gy"]) == pytest.approx(mean + 0.002, abs=1e-3)
    assert (tmp_path / "out" / "dose.png").read_bytes().startswith(b"\x89PNG")
    assert main(["evaluate", "dose", *flags[:2], "--output", str(tmp_path / "out")]) == 2


def test_openkbps_patients_through_the_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oarflow.datasets.openkbp import ORGANS  # noqa: PLC0415

    case = made_up("pt_201")
    (tmp_path / "data").mkdir()
    (tmp_path / "doses").mkdir()
    arrays = {ORGANS[organ]: case.masks[organ] for organ in ("Parotid_L", "Parotid_R")}
    np.savez(
        tmp_path / "data" / "pt_201.npz",
        ct=case.ct,
        body=case.body,
        spacing_mm=np.array(case.spacing_zyx),
        **arrays,
    )
    z = np.arange(SHAPE[0], dtype=np.float16)[:, None, None]
    np.savez(tmp_path / "doses" / "pt_201.npz", dose_gy=np.broadcast_to(z, SHAPE))
    runs = []

    def run(ct: Path, out: Path, models: Path, flags: Sequence[str]) -> Run:
        """Contours one slice too far up; the right parotid not at all."""
        runs.append(ct)
        out.mkdir()
        mask = np.roll(case.masks["Parotid_L"], 1, axis=0)[2:13]
        drawn = case.cropped(2, 12)
        moved = Case(case.id, drawn.ct, case.spacing_zyx, {"Parotid_L": mask})
        write_references(moved, ct, out / "rtstruct.dcm")
        return Run(result({"Parotid_L": Status.SEGMENTED}), out / "rtstruct.dcm")

    monkeypatch.setattr("oarflow.evaluation.chain.run_application", run)
    network = ModelFile("parotids", "oarflow/p", "1", "ab" * 32, ("Parotid_L", "Parotid_R"))
    for place in ("application", "chain"):
        monkeypatch.setattr(f"oarflow.evaluation.{place}.model_files", lambda models: [network])
    flags = ["--data", str(tmp_path / "data"), "--doses", str(tmp_path / "doses")]
    flags += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out")]
    assert main(["evaluate", "dose", *flags]) == 0
    with (tmp_path / "out" / "dose.csv").open() as file:
        rows = {row["organ"]: row for row in csv.DictReader(file)}
    # Slices 6 to 10, then 7 to 11.
    assert float(rows["Parotid_L"]["clinical_mean_gy"]) == 8.0
    assert float(rows["Parotid_L"]["predicted_mean_gy"]) == 9.0
    assert rows["Parotid_R"]["predicted_mean_gy"] == ""
    page = (tmp_path / "out" / "dose.md").read_text()
    assert "| Parotid_R | 0 | 1 |" in page
    assert network.sha256 in page
    assert main(["evaluate", "dose", *flags]) == 0
    assert len(runs) == 1


def test_dose_on_the_masks_own_grid_is_read_voxel_by_voxel() -> None:
    case = made_up()
    dose = Image(np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE), case.grid)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[1, 2, 3] = True
    assert dose_inside(dose, mask, dose.grid).tolist() == [1 * 32 * 40 + 2 * 40 + 3]
    assert dose_inside(dose, mask, made_up().grid) == pytest.approx([1 * 32 * 40 + 2 * 40 + 3])
