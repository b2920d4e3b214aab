"""Edits with a known truth: what was moved, deleted, added or left alone is told as such."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite

from oarflow.compare.edits import compare, grid_of
from oarflow.compare.records import Change, EditRecord, OrganEdit
from oarflow.evaluation.review.edits_page import markdown
from oarflow.organs import load_catalogue
from oarflow.result import input_part
from oarflow.rtstruct.model import Roi, StructureSet
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.writer import write_rtstruct
from tests.oarflow.report import cases
from tests.oarflow.rtstruct.two_frames import move_to_mr

WHEN = datetime(2026, 1, 2, tzinfo=UTC)
CATALOGUE = load_catalogue()


def write(path: Path, structures: StructureSet) -> None:
    found = cases.volume()
    provenance = Provenance("0" * 64, "cpu")
    write_rtstruct(path, structures, found.source, found.grid, provenance=provenance, when=WHEN)


@pytest.fixture
def delivered(tmp_path: Path) -> Path:
    """A run's folder: Parotid_L and Larynx, as the catalogue names them."""
    found = cases.volume()
    out = tmp_path / "out"
    out.mkdir()
    write(out / "rtstruct.dcm", named(cases.structures(found)))
    (out / "result.json").write_bytes(cases.result(found).as_json())
    return out


def named(structures: StructureSet) -> StructureSet:
    rois = tuple(replace(roi, name=str(roi.organ)) for roi in structures.rois)
    return replace(structures, rois=rois)


def with_rois(structures: StructureSet, *rois: Roi) -> StructureSet:
    numbered = tuple(replace(roi, number=n) for n, roi in enumerate(rois, start=1))
    return replace(structures, rois=numbered)


def moved(roi: Roi, slices: int, mm: float) -> Roi:
    """The first contours pushed to the left."""
    shift = np.array([mm, 0.0, 0.0])
    contours = [
        replace(c, points_lps=c.points_lps + shift) if n < slices else c
        for n, c in enumerate(roi.contours)
    ]
    return replace(roi, contours=tuple(contours))


def edits(out: Path, structures: StructureSet, tolerance_mm: float = 2.0) -> dict[str, OrganEdit]:
    path = out.parent / "edited.dcm"
    write(path, structures)
    record = compare(out, path, CATALOGUE, tolerance_mm=tolerance_mm)
    return {edit.organ: edit for edit in record.organs}


def test_what_came_back_as_it_was_is_kept(delivered: Path) -> None:
    """Also where a planning system rounded its coordinates to 0.1 mm."""
    structures = named(cases.structures(cases.volume()))
    rounded = tuple(
        replace(
            roi,
            contours=tuple(replace(c, points_lps=np.round(c.points_lps, 1)) for c in roi.contours),
        )
        for roi in structures.rois
    )
    found = edits(delivered, replace(structures, rois=rounded))
    assert {edit.change for edit in found.values()} == {Change.KEPT}
    assert all(edit.slices_touched == 0 and edit.slices == 10 for edit in found.values())
    assert all(edit.added_path_mm == 0 for edit in found.values())
    assert all(edit.surface_dice > 0.99 for edit in found.values())


def test_moved_slices_are_counted(delivered: Path) -> None:
    structures = named(cases.structures(cases.volume()))
    parotid, larynx = structures.rois
    found = edits(delivered, with_rois(structures, moved(parotid, 3, 6.0), larynx))
    edit = found["Parotid_L"]
    assert (edit.change, edit.slices_touched, edit.slices) == (Change.EDITED, 3, 10)
    assert edit.network == "oarflow/test 1.0.0"
    assert edit.volume_after_cc == pytest.approx(edit.volume_before_cc, rel=0.01)
    full = np.pi * cases.RADIUS_MM**2 * 10 * cases.STEP_MM / 1000
    # Pixels of 2 mm, many of them with their centres on the very circle.
    assert edit.volume_before_cc == pytest.approx(full, rel=0.12)
    # Two circles of radius r whose centres lie d apart: share of overlap, on 3 of 10 slices.
    r, d = cases.RADIUS_MM, 6.0
    lens = 2 * r**2 * np.arccos(d / (2 * r)) - d / 2 * np.sqrt(4 * r**2 - d**2)
    assert edit.dice == pytest.approx((7 + 3 * lens / (np.pi * r**2)) / 10, abs=0.02)
    assert 0.6 < edit.surface_dice < 0.95
    outline = 2 * np.pi * r * 3
    assert 0.5 * outline < edit.added_path_mm < 1.1 * outline
    assert found["Larynx"].change is Change.KEPT


def test_a_small_bump_is_a_touch(delivered: Path) -> None:
    structures = named(cases.structures(cases.volume()))
    parotid, larynx = structures.rois
    points = parotid.contours[4].points_lps.copy()
    points[0, 0] += 0.8
    contours = list(parotid.contours)
    contours[4] = replace(contours[4], points_lps=points)
    bumped = replace(parotid, contours=tuple(contours))
    found = edits(delivered, with_rois(structures, bumped, larynx))
    assert found["Parotid_L"].slices_touched == 1
    assert found["Parotid_L"].change is Change.EDITED


def test_deleted_added_and_foreign_organs(delivered: Path) -> None:
    structures = named(cases.structures(cases.volume()))
    parotid, _ = structures.rois
    added = replace(parotid, name="Brainstem", organ="Brainstem")
    target = replace(parotid, name="PTV_70", organ=None)
    found = edits(delivered, with_rois(structures, parotid, added, target))
    assert {organ: edit.change for organ, edit in found.items()} == {
        "Parotid_L": Change.KEPT,
        "Larynx": Change.DELETED,
        "Brainstem": Change.ADDED,
    }
    gone = found["Larynx"]
    assert (gone.surface_dice, gone.dice, gone.hd95_mm, gone.volume_after_cc) == (0, 0, None, 0)
    assert gone.slices_touched == gone.slices == 10
    assert found["Brainstem"].network is None


def test_an_organ_is_known_by_its_other_names(delivered: Path) -> None:
    structures = named(cases.structures(cases.volume()))
    parotid, larynx = structures.rois
    renamed = replace(parotid, name="Left_Parotid")
    assert CATALOGUE.resolve("Left_Parotid") is not None
    found = edits(delivered, with_rois(structures, renamed, replace(larynx, name="LARYNX")))
    assert {organ: edit.change for organ, edit in found.items()} == {
        "Parotid_L": Change.KEPT,
        "Larynx": Change.KEPT,
    }


def test_another_patients_contours_are_not_compared(delivered: Path, tmp_path: Path) -> None:
    found = cases.volume()
    other = replace(found.source, frame_of_reference_uid="1.2.99")
    path = tmp_path / "other.dcm"
    write_rtstruct(
        path,
        named(cases.structures(found)),
        other,
        found.grid,
        provenance=Provenance("0" * 64, "cpu"),
        when=WHEN,
    )
    with pytest.raises(ValueError, match="another frame of reference"):
        compare(delivered, path, CATALOGUE, tolerance_mm=2.0)


def test_a_region_that_came_back_on_another_frame_is_not_deleted(delivered: Path) -> None:
    path = delivered.parent / "edited.dcm"
    write(path, named(cases.structures(cases.volume())))
    structures = dcmread(path)
    move_to_mr(structures, "Parotid_L")
    dcmwrite(path, structures, enforce_file_format=True)
    record = compare(delivered, path, CATALOGUE, tolerance_mm=2.0)
    assert {edit.organ: edit.change for edit in record.organs} == {"Larynx": Change.KEPT}
    assert record.left_out == ("Parotid_L",)
    assert "Parotid_L: on another frame of reference" in markdown(record)
    (delivered / "edits.json").write_text(record.as_json())
    assert EditRecord.read(delivered / "edits.json") == record


def test_the_grid_comes_from_the_result() -> None:
    grid = cases.volume().grid
    rebuilt = grid_of(input_part(cases.volume()))
    assert rebuilt.shape == grid.shape
    assert np.allclose(rebuilt.positions_lps, grid.positions_lps)
    uneven = input_part(cases.volume()).model_copy(update={"slice_gaps_mm": (3.0, 4.0)})
    with pytest.raises(ValueError, match="--ct"):
        grid_of(uneven)


def test_records_can_be_read_again_and_name_nobody(delivered: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited.dcm"
    write(edited, named(cases.structures(cases.volume())))
    record = compare(delivered, edited, CATALOGUE, tolerance_mm=2.0)
    path = tmp_path / "record.json"
    path.write_text(record.as_json())
    assert EditRecord.read(path) == record
    assert "SECRET" not in path.read_text()
    assert "| Parotid_L | kept |" in markdown(record)
    path.write_text("{}")
    with pytest.raises(ValueError, match="not a record"):
        EditRecord.read(path)
