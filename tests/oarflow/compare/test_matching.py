"""Regions that a planning system renamed, renumbered or split are found again by where they lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from oarflow.compare.edits import compare
from oarflow.compare.records import Change, EditRecord
from oarflow.evaluation.review.edits_history import read_entries
from oarflow.evaluation.review.edits_page import markdown
from oarflow.rtstruct.model import Roi, StructureSet
from oarflow.rtstruct.specs import CodedConcept
from tests.oarflow.compare.test_edits import CATALOGUE, delivered, moved, named, write
from tests.oarflow.report import cases

__all__ = ["delivered"]

KEPT, EDITED, DELETED, ADDED = Change.KEPT, Change.EDITED, Change.DELETED, Change.ADDED


def came_back(out: Path, *rois: Roi) -> EditRecord:
    """Compared with the delivered structure set, whose parotid is number 1 and larynx number 2."""
    path = out.parent / "edited.dcm"
    save(path, *rois)
    return compare(out, path, CATALOGUE, tolerance_mm=2.0)


def save(path: Path, *rois: Roi) -> None:
    """Write regions under their own ROI numbers, which our writer counts from 1."""
    uids = frozenset(cases.volume().source.sop_instance_uids)
    counted = tuple(replace(roi, number=n) for n, roi in enumerate(rois, start=1))
    write(path, StructureSet("back", counted, "1.2.4", uids))
    dataset = pydicom.dcmread(path)
    for n, roi in enumerate(rois):
        dataset.StructureSetROISequence[n].ROINumber = roi.number
        dataset.ROIContourSequence[n].ReferencedROINumber = roi.number
        dataset.RTROIObservationsSequence[n].ReferencedROINumber = roi.number
    dataset.save_as(path)


@pytest.fixture
def parotid() -> Roi:
    return named(cases.structures(cases.volume())).rois[0]


@pytest.fixture
def larynx() -> Roi:
    return named(cases.structures(cases.volume())).rois[1]


def changes(record: EditRecord) -> dict[str, Change]:
    return {edit.organ: edit.change for edit in record.organs}


def renamed(record: EditRecord) -> dict[str, tuple[str, ...]]:
    assert record.matching is not None
    return {pair.organ: pair.names for pair in record.matching.pairs if pair.renamed}


@pytest.mark.parametrize("number", [2, 9])
@pytest.mark.parametrize("name", ["HN voice box", "Larynx_v2", "larynx edited JS", "x", "LARYNX"])
def test_a_renamed_organ_is_kept(
    delivered: Path, parotid: Roi, larynx: Roi, name: str, number: int
) -> None:
    """Whatever its name, with its ROI number and with another one."""
    record = came_back(delivered, parotid, replace(larynx, name=name, number=number))
    assert changes(record) == {"Parotid_L": KEPT, "Larynx": KEPT}
    assert renamed(record) == {"Larynx": (name,)}
    assert all(edit.surface_dice > 0.99 for edit in record.organs)
    assert f"Larynx came back as {name}" in markdown(record)


def test_a_rename_does_not_enter_the_history_as_a_deletion(
    delivered: Path, parotid: Roi, larynx: Roi, tmp_path: Path
) -> None:
    record = came_back(delivered, parotid, replace(larynx, name="Glottis JS", number=7))
    kept = tmp_path / "records"
    kept.mkdir()
    (kept / "one.json").write_text(record.as_json())
    assert "Glottis" not in record.as_json()
    assert min(entry.surface_dice for entry in read_entries(kept)) > 0.99


def test_renamed_and_edited_has_the_figures_of_the_edit_alone(
    delivered: Path, parotid: Roi, larynx: Roi
) -> None:
    shifted = moved(parotid, 3, 6.0)
    plain = came_back(delivered, shifted, larynx)
    other = came_back(delivered, replace(shifted, name="gland", number=8), larynx)
    assert changes(other) == {"Parotid_L": EDITED, "Larynx": KEPT}
    assert plain.organs == other.organs


def test_renumbering_and_reordering_change_nothing(
    delivered: Path, parotid: Roi, larynx: Roi
) -> None:
    record = came_back(delivered, replace(larynx, number=1), replace(parotid, number=2))
    assert changes(record) == {"Parotid_L": KEPT, "Larynx": KEPT}
    assert renamed(record) == {}


def test_swapped_names_are_two_renames(delivered: Path, parotid: Roi, larynx: Roi) -> None:
    record = came_back(
        delivered, replace(parotid, name="Larynx"), replace(larynx, name="Parotid_L")
    )
    assert changes(record) == {"Parotid_L": KEPT, "Larynx": KEPT}
    assert renamed(record) == {"Parotid_L": ("Larynx",), "Larynx": ("Parotid_L",)}


@pytest.mark.parametrize("names", [("gland up", "gland low"), ("Parotid_L", "Parotid_L_2")])
def test_a_split_organ_is_its_parts_together(
    delivered: Path, parotid: Roi, larynx: Roi, names: tuple[str, str]
) -> None:
    low, up = (
        replace(parotid, contours=part, name=name, number=number)
        for part, name, number in zip(
            (parotid.contours[:5], parotid.contours[5:]), names, (4, 5), strict=True
        )
    )
    record = came_back(delivered, low, up, larynx)
    assert changes(record) == {"Parotid_L": KEPT, "Larynx": KEPT}
    assert set(renamed(record)["Parotid_L"]) == set(names)


def test_a_tumour_that_was_cut_out_is_no_part(delivered: Path, parotid: Roi, larynx: Roi) -> None:
    rest = replace(parotid, contours=parotid.contours[:7])
    tumour = replace(parotid, contours=parotid.contours[7:], name="Mass", number=6)
    record = came_back(delivered, rest, larynx, tumour)
    edit = record.organs[0]
    assert (edit.change, edit.slices_touched) == (EDITED, 3)
    assert record.matching is not None
    assert record.matching.others == ("Mass",)


@pytest.mark.parametrize("number", [2, 6])
def test_deleted_and_another_drawn(delivered: Path, parotid: Roi, larynx: Roi, number: int) -> None:
    """The new one has the deleted one's number or another, and lies 2 cm away."""
    far = moved(parotid, 99, -70.0)
    known = came_back(delivered, parotid, replace(far, name="Brainstem", number=number))
    assert changes(known) == {"Parotid_L": KEPT, "Larynx": DELETED, "Brainstem": ADDED}
    unknown = came_back(delivered, parotid, replace(far, name="Mass", number=number))
    assert changes(unknown) == {"Parotid_L": KEPT, "Larynx": DELETED}
    assert unknown.matching is not None
    assert unknown.matching.others == ("Mass",)


def test_a_target_in_its_place_is_no_rename(delivered: Path, parotid: Roi, larynx: Roi) -> None:
    for target in (
        replace(larynx, name="PTV_60"),
        replace(larynx, name="boost", interpreted_type="CTV"),
    ):
        record = came_back(delivered, parotid, target)
        assert changes(record) == {"Parotid_L": KEPT, "Larynx": DELETED}


def test_what_may_be_it_or_not_has_no_figures(
    delivered: Path, parotid: Roi, larynx: Roi, tmp_path: Path
) -> None:
    """An unknown name and another number, and a quarter of the contour in common."""
    # Two discs of radius r, centres d apart, share about a quarter of their area at d = 1.2 r.
    drawn = replace(moved(parotid, 99, 1.2 * cases.RADIUS_MM), name="something", number=9)
    record = came_back(delivered, drawn, larynx)
    assert changes(record) == {"Larynx": KEPT}
    assert record.not_matched == ("Parotid_L",)
    assert "Not matched" in markdown(record)
    stored = tmp_path / "record.json"
    stored.write_text(record.as_json())
    assert EditRecord.read(stored) == record


def test_a_code_names_what_was_renamed_and_redrawn(
    delivered: Path, parotid: Roi, larynx: Roi
) -> None:
    """The code alone is no proof of the same contour, but it forbids to call it deleted."""
    code = CodedConcept("45289007", "SCT", "Parotid gland")
    save(delivered / "rtstruct.dcm", replace(parotid, code=code), larynx)
    shift = 1.5 * cases.RADIUS_MM
    drawn = replace(moved(parotid, 99, shift), name="something", number=9, code=code)
    r, d = cases.RADIUS_MM, shift
    lens = 2 * r**2 * np.arccos(d / (2 * r)) - d / 2 * np.sqrt(4 * r**2 - d**2)
    record = came_back(delivered, drawn, larynx)
    edit = record.organs[0]
    assert (edit.organ, edit.change) == ("Parotid_L", EDITED)
    assert edit.dice == pytest.approx(lens / (np.pi * r**2), abs=0.03)
    away = replace(moved(parotid, 99, -60.0), name="something", number=9, code=code)
    assert came_back(delivered, away, larynx).not_matched == ("Parotid_L",)
