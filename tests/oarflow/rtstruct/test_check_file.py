"""The self-check lets right files pass and stops each wrong one, by the right means."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset

from oarflow.errors import Fault
from oarflow.rtstruct.check import check_file, inspect_file, read_headers
from oarflow.rtstruct.contours import ContourOptions, HoleStyle, structure_set
from oarflow.rtstruct.model import Contour, Roi, StructureSet
from tests.oarflow.rtstruct.cases import (
    Case,
    ball,
    box,
    joined,
    make_case,
    segmentations_of,
    shell,
    specs_of,
)

SHAPES = {
    "Parotid_L": ball((25.3, -8.1, 2.2), 15.0, soft_mm=6.0),
    "Parotid_R": ball((-31.7, -5.2, -4.4), 13.0),
    "Mandible": shell((2.2, 25.4, 0.3), 20.3, 8.4),
    "Brainstem": joined(box((-9, -40, -20), (7, -25, 11)), box((-9, -40, -20), (20, -36, 11))),
}
"""A soft and a hard ball, a hard ball with a hole, and an L: no two alike, none symmetric."""

FINE = {"rows": 100, "columns": 120, "spacing_yx": (1.25, 1.0), "slices": 24, "step_mm": 2.5}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("case"), SHAPES, **FINE)


def inspect(case: Case, path: Path | None = None):
    return inspect_file(
        path or case.path, case.files, case.fields, case.volume.grid, case.volume.source
    )


def mapped(structures: StructureSet, change: Callable[[Contour], Contour | None]) -> StructureSet:
    """The structure set with every contour changed, or left out where None."""
    return replace(
        structures,
        rois=tuple(
            replace(roi, contours=tuple(c for k in roi.contours if (c := change(k)) is not None))
            for roi in structures.rois
        ),
    )


def moved(structures: StructureSet, by: tuple[float, float, float]) -> StructureSet:
    return mapped(structures, lambda c: replace(c, points_lps=c.points_lps + by))


def edited(case: Case, change: Callable[[Dataset], None]) -> Path:
    """The written file with its data set changed."""
    dataset = pydicom.dcmread(case.path)
    change(dataset)
    path = case.path.with_name("edited.dcm")
    dataset.save_as(path)
    return path


def test_a_right_file_passes_voxel_for_voxel(case: Case) -> None:
    report = check_file(
        case.path,
        case.files,
        case.fields,
        case.volume.grid,
        case.volume.source,
        hu=case.volume.hu,
    )
    assert report.passed
    assert [organ.name for organ in report.organs] == list(SHAPES)
    for organ in report.organs:
        assert organ.dice == 1.0
        assert organ.surface_mm == 0.0
        assert organ.shift_mm < 0.02
        assert abs(organ.inflation_mm) < 0.02
        assert organ.filled_cc == organ.volume_cc


def test_xor_holes_pass_as_keyholes_do(tmp_path: Path) -> None:
    xor = make_case(tmp_path, SHAPES, options=ContourOptions(hole_style=HoleStyle.XOR), **FINE)
    report = inspect(xor)
    assert report.passed
    mandible = report.organs[2]
    assert mandible.filled_cc == pytest.approx(mandible.volume_cc, rel=0.02)


def test_headers_read_beforehand_serve_as_well(case: Case) -> None:
    headers = read_headers(case.files)
    assert inspect_file(
        case.path, headers, case.fields, case.volume.grid, case.volume.source
    ).passed


@pytest.mark.parametrize("axis", [0, 1])
def test_a_mirrored_file_is_a_fault(case: Case, axis: int) -> None:
    mirror = np.ones(3)
    mirror[axis] = -1
    wrong = mapped(case.structures, lambda c: replace(c, points_lps=c.points_lps * mirror))
    assert inspect(case, case.rewritten(wrong)).faults


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("organ", list(SHAPES))
def test_half_a_pixel_is_a_fault_of_every_organ(
    case: Case, organ: str, axis: int, sign: int
) -> None:
    by = [0.0, 0.0, 0.0]
    by[axis] = sign * (0.5 if axis == 0 else 0.625)
    wrong = moved(case.structures, tuple(by))
    faults = inspect(case, case.rewritten(wrong)).faults
    assert any(fault.startswith(f"{organ}: contours shifted by about") for fault in faults)


@pytest.mark.parametrize("mm", [0.5, -0.5])
def test_contours_half_a_pixel_too_large_or_small_are_a_fault(case: Case, mm: float) -> None:
    def grown(contour: Contour) -> Contour:
        middle = contour.points_lps.mean(axis=0)
        arm = contour.points_lps - middle
        length = np.linalg.norm(arm, axis=1, keepdims=True)
        return replace(contour, points_lps=middle + arm * (1 + mm / length))

    balls = replace(case.structures, rois=case.structures.rois[:2])
    other = make_ball_case(case, mapped(balls, grown))
    assert sum("on all sides" in fault for fault in other.faults) == 2


def make_ball_case(case: Case, structures: StructureSet):
    fields = {name: case.fields[name] for name in ("Parotid_L", "Parotid_R")}
    return inspect_file(
        case.rewritten(structures), case.files, fields, case.volume.grid, case.volume.source
    )


def test_one_slice_off_is_a_fault(case: Case) -> None:
    uids = case.volume.source.sop_instance_uids
    up = dict(itertools.pairwise(uids))
    wrong = mapped(
        case.structures,
        lambda c: replace(
            c,
            points_lps=c.points_lps + np.array((0, 0, 2.5)),
            sop_instance_uid=up[c.sop_instance_uid or ""],
        ),
    )
    faults = inspect(case, case.rewritten(wrong)).faults
    assert any("slices without mask" in fault for fault in faults)


def test_contours_off_their_images_plane_are_a_fault(case: Case) -> None:
    def lifted(dataset: Dataset) -> None:
        contour = dataset.ROIContourSequence[0].ContourSequence[0]
        data = [float(v) for v in contour.ContourData]
        data[2::3] = [z + 0.05 for z in data[2::3]]
        contour.ContourData = [f"{v:.3f}" for v in data]

    faults = inspect(case, edited(case, lifted)).faults
    assert faults == ("Parotid_L: 1 contours lie off the plane of the image that they name",)


def test_swapped_organs_are_a_fault(case: Case) -> None:
    first, second, *rest = case.structures.rois
    wrong = replace(
        case.structures,
        rois=(
            replace(first, contours=second.contours),
            replace(second, contours=first.contours),
            *rest,
        ),
    )
    faults = inspect(case, case.rewritten(wrong)).faults
    assert any("Parotid_L" in fault for fault in faults)
    assert any("Parotid_R" in fault for fault in faults)


def test_a_hole_filled_in_the_file_fails_its_organ_only(case: Case) -> None:
    filled = {**case.fields, "Mandible": with_hole_filled(case)}
    structures, _ = structure_set(
        case.volume.source, case.volume.grid, segmentations_of(filled), specs_of(filled)
    )
    assert inspect(case, case.rewritten(structures)).failed == ("Mandible",)


def test_a_hole_filled_in_the_mask_fails_its_organ_only(case: Case) -> None:
    filled = {**case.fields, "Mandible": with_hole_filled(case)}
    report = inspect_file(case.path, case.files, filled, case.volume.grid, case.volume.source)
    assert report.failed == ("Mandible",)
    mandible = report.organs[2]
    assert any("surfaces" in failure for failure in mandible.failures)


def with_hole_filled(case: Case):
    field = case.fields["Mandible"]
    z, y, x = np.indices(field.values.shape)
    spacing = np.array(case.volume.grid.spacing_zyx)
    middle = (np.array(field.values.shape) - 1) / 2
    distance = np.sqrt(
        sum(((c - m) * s) ** 2 for c, m, s in zip((z, y, x), middle, spacing, strict=True))
    )
    return replace(field, values=np.where(distance < 12, 1, field.values).astype(np.float32))


def test_a_dropped_contour_fails_its_organ_only(case: Case) -> None:
    roi = case.structures.rois[1]
    shorter = replace(roi, contours=roi.contours[:-1])
    rois = tuple(shorter if r is roi else r for r in case.structures.rois)
    report = inspect(case, case.rewritten(replace(case.structures, rois=rois)))
    assert not report.faults
    assert report.failed == ("Parotid_R",)
    assert "1 slices of the mask have no contour" in report.organs[1].failures


def test_a_lost_island_fails_its_organ_although_dice_hardly_moves(tmp_path: Path) -> None:
    large = ball((-20.2, 0.3, 0.1), 25.0)
    island = joined(large, ball((30.3, 10.2, 0.1), 3.1))
    whole = make_case(tmp_path, {"Parotid_R": island}, **FINE)
    without = mapped(whole.structures, lambda c: c if c.points_lps[:, 0].mean() < 15 else None)
    report = inspect(whole, whole.rewritten(without))
    assert report.organs[0].dice > 0.995
    assert report.failed == ("Parotid_R",)


def test_a_missing_organ_fails(case: Case) -> None:
    fewer = replace(case.structures, rois=case.structures.rois[:-1])
    report = inspect(case, case.rewritten(fewer))
    assert report.failed == ("Brainstem",)


def test_an_organ_that_nobody_segmented_is_a_fault(case: Case) -> None:
    fields = {name: field for name, field in case.fields.items() if name != "Brainstem"}
    report = inspect_file(case.path, case.files, fields, case.volume.grid, case.volume.source)
    assert any("unexpected regions" in fault for fault in report.faults)


def dangling(dataset: Dataset) -> None:
    image = dataset.ROIContourSequence[0].ContourSequence[0].ContourImageSequence[0]
    image.ReferencedSOPInstanceUID = "1.2.3"


def series_with_a_stranger(dataset: Dataset) -> None:
    study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    series = study.RTReferencedSeriesSequence[0]
    series.ContourImageSequence[3].ReferencedSOPInstanceUID = "1.2.3"


def wrong_series(dataset: Dataset) -> None:
    study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    study.RTReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"


def wrong_frame(dataset: Dataset) -> None:
    dataset.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.2.3"


def wrong_frame_of_a_roi(dataset: Dataset) -> None:
    dataset.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"


def wrong_patient(dataset: Dataset) -> None:
    dataset.PatientID = "somebody else"


def wrong_birth_date(dataset: Dataset) -> None:
    dataset.PatientBirthDate = "19600305"


def reused_series(dataset: Dataset) -> None:
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    study = frame.RTReferencedStudySequence[0]
    dataset.SeriesInstanceUID = study.RTReferencedSeriesSequence[0].SeriesInstanceUID


def approved(dataset: Dataset) -> None:
    dataset.ApprovalStatus = "APPROVED"


def doubled_number(dataset: Dataset) -> None:
    dataset.RTROIObservationsSequence[1].ReferencedROINumber = 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dangling, "name no image"),
        (series_with_a_stranger, "not exactly the CT's, each once"),
        (wrong_series, "RTReferencedSeriesSequence"),
        (wrong_frame, "ReferencedFrameOfReferenceSequence"),
        (wrong_frame_of_a_roi, "another frame of reference"),
        (wrong_patient, "PatientID differs from the CT's"),
        (wrong_birth_date, "PatientBirthDate differs from the CT's"),
        (reused_series, "SeriesInstanceUID"),
        (approved, "ApprovalStatus"),
        (doubled_number, "ROI numbers"),
    ],
)
def test_identity_and_references(case: Case, change: Callable[[Dataset], None], said: str) -> None:
    path = edited(case, change)
    faults = inspect(case, path).faults
    assert any(said in fault for fault in faults)
    with pytest.raises(Fault, match="the self-check found"):
        check_file(path, case.files, case.fields, case.volume.grid, case.volume.source)


def test_faults_hold_no_patient_data(case: Case) -> None:
    faults = " ".join(inspect(case, edited(case, wrong_patient)).faults)
    for secret in ("somebody", "Phantom", "ID one", "1960"):
        assert secret not in faults


def test_a_truncated_file_is_a_fault(case: Case) -> None:
    data = case.path.read_bytes()[:-2000]
    faults = inspect_file(
        data, case.files, case.fields, case.volume.grid, case.volume.source
    ).faults
    assert faults[0].startswith("DAMAGED")


def test_a_volume_mirrored_against_its_files_is_a_fault(case: Case) -> None:
    """Grid and references right, voxels flipped: masks look right and lie on the wrong side."""
    report = inspect_file(
        case.path,
        case.files,
        case.fields,
        case.volume.grid,
        case.volume.source,
        hu=case.volume.hu[:, :, ::-1],
    )
    assert any("does not hold its image's voxels" in fault for fault in report.faults)


def test_every_slice_with_a_contour_is_compared_with_its_file(case: Case) -> None:
    """One slice at a time is taken from its neighbour: most lie between any few samples."""
    offset, planes = case.fields["Parotid_L"].offset[0], case.fields["Parotid_L"].mask
    contoured = [offset + k for k in range(len(planes)) if planes[k].sum() > 20]
    assert len(contoured) > 3
    for k in contoured:
        hu = case.volume.hu.copy()
        hu[k] = hu[k - 1]
        report = inspect_file(
            case.path, case.files, case.fields, case.volume.grid, case.volume.source, hu=hu
        )
        assert report.faults == (f"slice {k} of the volume does not hold its image's voxels",)


def test_a_grid_that_is_not_its_files_is_a_fault(case: Case) -> None:
    grid = case.volume.grid
    shifted = replace(grid, positions_lps=grid.positions_lps + np.array((0.5, 0, 0)))
    report = inspect_file(case.path, case.files, case.fields, shifted, case.volume.source)
    assert "does not lie where its CT image does" in report.faults[0]


def test_slices_in_reverse_order_are_a_fault(case: Case) -> None:
    source = replace(
        case.volume.source,
        sop_instance_uids=tuple(reversed(case.volume.source.sop_instance_uids)),
    )
    report = inspect_file(case.path, case.files, case.fields, case.volume.grid, source)
    assert "does not lie where its CT image does" in report.faults[0]


def test_a_roi_by_another_name_is_not_found(case: Case) -> None:
    roi: Roi = replace(case.structures.rois[0], name="Parotid_X")
    wrong = replace(case.structures, rois=(roi, *case.structures.rois[1:]))
    report = inspect(case, case.rewritten(wrong))
    assert report.faults
    assert report.failed == ("Parotid_L",)


def test_descriptive_tags_that_differ_between_slices_are_no_fault(tmp_path: Path) -> None:
    """Each slice has its own StudyTime: any of them may be written."""
    times = {k: {"StudyTime": f"1011{k:02d}"} for k in range(24)}
    differing = make_case(tmp_path, SHAPES, slice_tags=times, **FINE)
    assert inspect(differing).passed


def test_files_of_other_series_beside_the_cts_do_not_matter(case: Case, tmp_path: Path) -> None:
    files = {**case.files, "1.2.3": tmp_path / "absent.dcm"}
    report = inspect_file(case.path, files, case.fields, case.volume.grid, case.volume.source)
    assert report.passed


def test_a_missing_ct_file_is_a_fault(case: Case) -> None:
    files = dict(list(case.files.items())[1:])
    report = inspect_file(case.path, files, case.fields, case.volume.grid, case.volume.source)
    assert report.faults


def test_a_speck_that_was_not_written_does_not_cost_the_organ(case: Case) -> None:
    """One voxel that hardly passes the threshold, far from the organ: its outline has no area."""
    field = case.fields["Parotid_L"]
    values = np.pad(field.values, ((0, 0), (0, 0), (0, 12)))
    values[len(values) // 2, values.shape[1] // 2, -1] = 0.501
    fields = {**case.fields, "Parotid_L": replace(field, values=values)}
    report = inspect_file(case.path, case.files, fields, case.volume.grid, case.volume.source)
    assert report.passed
    assert report.organs[0].dice < 1.0
