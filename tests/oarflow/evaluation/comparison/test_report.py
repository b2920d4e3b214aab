"""Two folders of contours compared: every kind of file gives the figures worked out by hand."""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite

from oarflow.commands import main
from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.references import _segmentation, write_references
from oarflow.evaluation.comparison.contours import common_grid, extended, read_contours
from oarflow.evaluation.comparison.folders import Options, compare
from oarflow.geometry import Grid
from oarflow.intake import read_volume
from oarflow.organs import load_catalogue
from oarflow.rtstruct.catalogue import catalogue_specs
from oarflow.rtstruct.provenance import Provenance
from oarflow.types import Mask
from oarflow.writing.seg import write_seg
from tests.oarflow.datasets.made_up import write_mask
from tests.oarflow.evaluation.cases import made_up
from tests.oarflow.rtstruct.two_frames import move_to_mr

CATALOGUE = load_catalogue()
ORGANS = ("SpinalCord", "Parotid_L", "Parotid_R", "Larynx")


def moved(case: Case) -> dict[str, Mask]:
    """What a network drew: the left parotid one voxel too far left, the rest right."""
    masks = {organ: case.masks[organ] for organ in ORGANS}
    return masks | {"Parotid_L": np.roll(masks["Parotid_L"], 1, axis=2)}


def as_files(folder: Path, case: Case, masks: dict[str, Mask], ending: str) -> None:
    folder.mkdir(parents=True)
    for organ, mask in masks.items():
        write_mask(folder / f"{organ}{ending}", mask, case.grid)


def as_rtstruct(folder: Path, case: Case, masks: dict[str, Mask], *, ct: bool = True) -> None:
    folder.mkdir(parents=True)
    drawn = Case(case.id, case.ct, case.spacing_zyx, masks, origin_lps=case.origin_lps)
    series = folder / "ct" if ct else folder.parent.parent / f"ct-{folder.name}"
    if not series.is_dir():
        write_ct(case, series)
    write_references(drawn, series, folder / "rs.dcm")


def as_seg(folder: Path, case: Case, masks: dict[str, Mask]) -> None:
    folder.mkdir(parents=True)
    write_ct(case, folder / "ct")
    volume = read_volume(folder / "ct").volume
    parts = [part for o, mask in masks.items() if (part := _segmentation(o, mask)) is not None]
    specs = catalogue_specs(CATALOGUE)
    provenance = Provenance(settings_sha256="", device="none")
    when = datetime(2020, 1, 1, tzinfo=UTC)
    path = folder / "seg.dcm"
    write_seg(path, parts, volume.source, volume.grid, specs, provenance=provenance, when=when)


WRITERS = {
    "nifti": lambda f, c, m: as_files(f, c, m, ".nii.gz"),
    "nrrd": lambda f, c, m: as_files(f, c, m, ".nrrd"),
    "rtstruct": as_rtstruct,
    "rtstruct without CT": lambda f, c, m: as_rtstruct(f, c, m, ct=False),
    "seg": as_seg,
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("truth", ["nifti", "seg", "rtstruct"])
def test_every_kind_of_file_gives_the_same_scores(tmp_path: Path, truth: str, kind: str) -> None:
    case = made_up()
    WRITERS[truth](tmp_path / "reference" / "a", case, {o: case.masks[o] for o in ORGANS})
    WRITERS[kind](tmp_path / "prediction" / "a", case, moved(case))
    found = compare(tmp_path / "reference", tmp_path / "prediction", CATALOGUE)
    assert [one.failed for one in found.cases] == [""]
    scores = {one.organ: one for one in found.scores}
    assert list(scores) == ["SpinalCord", "Parotid_L", "Parotid_R", "Larynx"]
    assert all(one.dsc == 1 and one.hd95_mm == 0 for o, one in scores.items() if o != "Parotid_L")
    # A box of 5 x 8 x 6 voxels moved by one of 2 mm: five of six columns in common.
    left = scores["Parotid_L"]
    assert left.dsc == pytest.approx(5 / 6)
    assert left.iou == pytest.approx(5 / 7)
    assert (left.precision, left.recall) == (pytest.approx(5 / 6), pytest.approx(5 / 6))
    assert left.volume_cc == pytest.approx(5 * 8 * 6 * 0.012)
    assert left.volume_error == pytest.approx(0)
    assert left.hd_mm == left.hd95_mm == pytest.approx(2)
    assert left.surface_dice == 1.0
    assert left.added_path_mm == 0.0


def test_sites_names_and_names_the_catalogue_does_not_know(tmp_path: Path) -> None:
    case = made_up()
    parotid, cord = case.masks["Parotid_L"], case.masks["SpinalCord"]
    as_files(
        tmp_path / "r" / "a", case, {"Left Parotid": parotid, "PTV": cord, "Myelon": cord}, ".nrrd"
    )
    as_files(
        tmp_path / "p" / "a",
        case,
        {"Parotid_L": parotid, "PTV": cord, "Glnd_Parotid_L": cord, "Brain": cord},
        ".nii.gz",
    )
    found = compare(tmp_path / "r", tmp_path / "p", CATALOGUE)
    assert {one.organ: one.dsc for one in found.scores} == {"Parotid_L": 1.0, "PTV": 1.0}
    (only,) = found.cases
    assert only.extra == ("Brain",)
    assert only.unused == ("Glnd_Parotid_L",)
    # The cord is in no prediction: left out unless it is asked for.
    assert found.left_out == {"SpinalCord": 1}
    every = compare(tmp_path / "r", tmp_path / "p", CATALOGUE, Options(every_organ=True))
    cord_score = next(one for one in every.scores if one.organ == "SpinalCord")
    assert (cord_score.dsc, cord_score.hd95_mm, cord_score.empty) == (0.0, math.inf, True)


def test_a_doubtful_name_is_compared_with_no_organ(tmp_path: Path) -> None:
    case = made_up()
    parotid, cord = case.masks["Parotid_L"], case.masks["SpinalCord"]
    as_files(tmp_path / "r" / "a", case, {"Parotid_L?": parotid, "SpinalCord": cord}, ".nrrd")
    as_files(tmp_path / "p" / "a", case, {"Parotid_L": parotid, "SpinalCord": cord}, ".nrrd")
    found = compare(tmp_path / "r", tmp_path / "p", CATALOGUE)
    assert [one.organ for one in found.scores] == ["SpinalCord"]
    assert found.left_out == {"Parotid_L?": 1}
    assert found.cases[0].extra == ("Parotid_L",)
    assert found.cases[0].remarks == (
        "reference, Parotid_L?: a doubtful name, not taken for Parotid_L; "
        "rename the region if it is",
    )


def test_a_missing_case_counts_as_empty_and_a_bad_one_is_listed(tmp_path: Path) -> None:
    case = made_up()
    mask = {"Parotid_L": case.masks["Parotid_L"]}
    for name in ("a", "b", "c"):
        as_files(tmp_path / "r" / name, case, mask, ".nrrd")
    as_files(tmp_path / "p" / "a", case, mask, ".nrrd")
    (tmp_path / "p" / "c").mkdir()
    (tmp_path / "p" / "c" / "Parotid_L.nrrd").write_bytes(b"nothing")
    found = compare(tmp_path / "r", tmp_path / "p", CATALOGUE)
    assert [(one.case, one.dsc) for one in found.scores] == [("a", 1.0), ("b", 0.0)]
    assert found.cases[1].missing
    assert "damaged" in found.cases[2].failed
    assert found.failed == ("c",)


def test_the_command_writes_scores_tables_and_plots(tmp_path: Path) -> None:
    case = made_up()
    for name in ("a", "b"):
        as_files(tmp_path / "r" / name, case, {o: case.masks[o] for o in ORGANS[:2]}, ".nrrd")
        as_files(tmp_path / "p" / name, case, moved(case), ".nii.gz")
    flags = ["--reference", str(tmp_path / "r"), "--prediction", str(tmp_path / "p")]
    assert main(["evaluate", "compare", *flags, "--output", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["organ"]) for row in rows] == [
        (case, organ) for case in "ab" for organ in ("SpinalCord", "Parotid_L")
    ]
    assert float(rows[1]["dsc"]) == pytest.approx(5 / 6, abs=1e-5)
    assert float(rows[1]["hd95_mm"]) == 2.0
    report = (tmp_path / "out" / "report.txt").read_text()
    assert "a, only in the prediction: Parotid_R, Larynx" in report
    assert "0.833 +- 0.000" in report
    # (1 + 5 / 6) / 2 over all contours and over organs.
    assert report.count("0.917") >= 2
    assert r"Parotid\_L & 2 & $0.833 \pm 0.000$" in (tmp_path / "out" / "table.tex").read_text()
    with (tmp_path / "out" / "summary.csv").open() as file:
        found = {(row["organ"], row["metric"]): row for row in csv.DictReader(file)}
    assert float(found["Parotid_L", "hd95_mm"]["median"]) == 2.0
    assert (tmp_path / "out" / "dsc.png").read_bytes().startswith(b"\x89PNG")


def test_folders_that_do_not_belong_together_are_said(tmp_path: Path) -> None:
    case = made_up()
    as_files(tmp_path / "r" / "a", case, {"Larynx": case.masks["Larynx"]}, ".nrrd")
    (tmp_path / "p" / "other").mkdir(parents=True)
    with pytest.raises(ValueError, match="no folder of"):
        compare(tmp_path / "r", tmp_path / "p", CATALOGUE)
    with pytest.raises(ValueError, match="holds no folder"):
        compare(tmp_path / "p" / "other", tmp_path / "p", CATALOGUE)
    (tmp_path / "p" / "a").mkdir()
    (tmp_path / "p" / "a" / "notes.txt").write_text("nothing")
    # A folder with nothing that could be a contour counts as a missing one does.
    (only,) = compare(tmp_path / "r", tmp_path / "p", CATALOGUE).cases
    assert not only.failed
    assert "no RTSTRUCT, SEG or file of an organ" in only.missing
    assert [(one.organ, one.dsc, one.empty) for one in only.scores] == [("Larynx", 0.0, True)]


def test_frames_of_reference_must_agree(tmp_path: Path) -> None:
    case, other = made_up(), made_up("pt_2")
    as_rtstruct(tmp_path / "r" / "a", case, {o: case.masks[o] for o in ORGANS})
    as_rtstruct(tmp_path / "p" / "a", other, {o: case.masks[o] for o in ORGANS})
    (only,) = compare(tmp_path / "r", tmp_path / "p", CATALOGUE).cases
    assert "different frames of reference" in only.failed


@pytest.mark.parametrize("ct", ["beside the reference", "beside the prediction", "elsewhere"])
def test_a_region_of_another_frame_is_not_compared(tmp_path: Path, ct: str) -> None:
    """Two of three regions lie on the MR: the CT's frame counts, not that of most."""
    case = made_up()
    masks = {o: case.masks[o] for o in ("SpinalCord", "Parotid_L", "Parotid_R")}
    as_rtstruct(tmp_path / "r" / "a", case, masks, ct=ct == "beside the reference")
    as_rtstruct(tmp_path / "p" / "a", case, masks, ct=ct == "beside the prediction")
    cts = None
    if ct == "elsewhere":
        cts = tmp_path / "cts"
        cts.mkdir()
        (tmp_path / "ct-a").rename(cts / "a")
    path = tmp_path / "r" / "a" / "rs.dcm"
    structures = dcmread(path)
    for name in ("Parotid_L", "Parotid_R"):
        move_to_mr(structures, name)
    dcmwrite(path, structures, enforce_file_format=True)
    (only,) = compare(tmp_path / "r", tmp_path / "p", CATALOGUE, Options(cts=cts)).cases
    assert {one.organ: one.dsc for one in only.scores} == {"SpinalCord": 1.0}
    assert only.extra == ("Parotid_L", "Parotid_R")
    assert only.remarks == tuple(
        f"reference, {organ}: on another frame of reference than the CT, or on several: left out"
        for organ in ("Parotid_L", "Parotid_R")
    )


def test_an_rtstruct_without_any_grid_asks_for_its_ct(tmp_path: Path) -> None:
    case = made_up()
    for side in "rp":
        as_rtstruct(tmp_path / side / "a", case, {o: case.masks[o] for o in ORGANS}, ct=False)
    (only,) = compare(tmp_path / "r", tmp_path / "p", CATALOGUE).cases
    assert "put the CT beside it" in only.failed
    (tmp_path / "cts").mkdir()
    (tmp_path / "ct-a").rename(tmp_path / "cts" / "a")
    found = compare(tmp_path / "r", tmp_path / "p", CATALOGUE, Options(cts=tmp_path / "cts"))
    assert {one.dsc for one in found.scores} == {1.0}


def test_a_grid_grows_by_whole_voxels_until_it_holds_all() -> None:
    grid = made_up().grid
    low, high = grid.index_to_patient([(0, 0, 0), (13, 31, 39)])
    assert extended(grid, np.array([low, high])).shape == grid.shape
    # 4 mm before the first column, 1 mm behind the last row, two slices above.
    points = np.array([low, high]) + np.array([(-4, 0, 0), (0, 1, 6)])
    grown = extended(grid, points)
    assert grown.shape == (14 + 2, 32 + 1, 40 + 2)
    assert grown.index_to_patient((0, 0, 2)) == pytest.approx(low)
    with pytest.raises(ValueError, match="too far apart"):
        extended(grid, np.array([low, low + 1e5]))


def test_uneven_slices_are_refused(tmp_path: Path) -> None:
    case = made_up()
    as_files(tmp_path / "a", case, {"Larynx": case.masks["Larynx"]}, ".nrrd")
    positions = case.grid.positions_lps.copy()
    positions[-1, 2] += 1
    uneven = Grid(
        positions, case.grid.x_direction, case.grid.y_direction, (2.0, 2.0), case.grid.shape
    )
    with pytest.raises(ValueError, match="unevenly spaced"):
        common_grid([read_contours(tmp_path / "a", CATALOGUE)], uneven)
