"""Writing with proof: an organ that does not match is dropped, a wrong file does not leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from oarflow.errors import Code, Fault, Refusal
from oarflow.flags.codes import FlagCode
from oarflow.intake import Intake, SeriesRules, read_volume
from oarflow.rtstruct.contours import ContourReport
from oarflow.rtstruct.model import StructureSet
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.specs import RoiSpec
from oarflow.structures import ProbabilityField, Segmentation, Status
from oarflow.writing import proven
from oarflow.writing.proven import WritePlan, Written, write_proved
from tests.phantoms import make_series, write_series

ORGANS = ("Brainstem", "Parotid_L")


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Intake:
    folder = tmp_path_factory.mktemp("ct")
    write_series(folder, make_series(slices=16, rows=64, columns=64, spacing_yx=(2.0, 2.0)))
    return read_volume(folder, SeriesRules())


def cube(z: int, y: int, x: int, size: int = 8) -> ProbabilityField:
    return ProbabilityField(np.ones((size, size, size), dtype=np.float32), (z, y, x))


def segmentation(organ: str, field: ProbabilityField | None, **changes: object) -> Segmentation:
    status = Status.SEGMENTED if field else Status.FAILED
    return replace(Segmentation(organ, status, field), **changes)  # type: ignore[arg-type]


@pytest.fixture
def plan(tmp_path: Path) -> WritePlan:
    specs = {organ: RoiSpec(organ, f"AI_{organ}", (255, 0, 0)) for organ in ORGANS}
    when = datetime(2026, 1, 2, tzinfo=UTC)
    return WritePlan(tmp_path, specs, Provenance("0" * 64, "cpu"), when)


def write(intake: Intake, plan: WritePlan, *segmentations: Segmentation) -> Written:
    return write_proved(intake.volume, intake.paths, segmentations, plan)


def careless(organ: str) -> Callable[..., tuple[StructureSet, ContourReport]]:
    """The contours of one organ lose a quarter of their slices on the way into the file."""
    contour = proven.structure_set

    def lossy(*args: Any, **kwargs: Any) -> tuple[StructureSet, ContourReport]:
        structures, report = contour(*args, **kwargs)
        rois = tuple(
            replace(roi, contours=roi.contours[:-2]) if roi.organ == organ else roi
            for roi in structures.rois
        )
        return replace(structures, rois=rois), report

    return lossy


def statuses(written: Written) -> dict[str, Status]:
    return {s.organ: s.status for s in written.segmentations}


def test_both_organs_are_in_the_file(intake: Intake, plan: WritePlan) -> None:
    pair = (segmentation("Brainstem", cube(2, 8, 8)), segmentation("Parotid_L", cube(4, 30, 30)))
    written = write(intake, plan, *pair)
    assert set(statuses(written).values()) == {Status.SEGMENTED}
    (file,) = written.files
    assert not file.path.name.endswith(".dcm")
    dataset = pydicom.dcmread(file.path)
    assert dataset.SOPInstanceUID == file.sop_instance_uid
    names = [roi.ROIName for roi in dataset.StructureSetROISequence]
    assert names == ["AI_Brainstem", "AI_Parotid_L"]


def test_an_organ_that_does_not_match_its_mask_is_dropped(
    intake: Intake, plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proven, "structure_set", careless("Parotid_L"))
    pair = (segmentation("Brainstem", cube(2, 8, 8)), segmentation("Parotid_L", cube(4, 30, 30)))
    written = write(intake, plan, *pair)
    assert statuses(written) == {"Brainstem": Status.SEGMENTED, "Parotid_L": Status.FAILED}
    (flag,) = written.segmentations[1].flags
    assert flag.code is FlagCode.SELF_CHECK_FAILED
    assert flag.values["failures"]
    dataset = pydicom.dcmread(written.files[0].path)
    assert [roi.ROIName for roi in dataset.StructureSetROISequence] == ["AI_Brainstem"]


def test_contours_shifted_as_a_whole_block_the_file(
    intake: Intake, plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    contour = proven.structure_set

    def shifted(*args: object, **kwargs: object) -> tuple[StructureSet, ContourReport]:
        structures, report = contour(*args, **kwargs)  # type: ignore[arg-type]
        rois = tuple(
            replace(
                roi,
                contours=tuple(
                    replace(c, points_lps=np.add(c.points_lps, (2.0, 0.0, 0.0)))
                    for c in roi.contours
                ),
            )
            for roi in structures.rois
        )
        return replace(structures, rois=rois), report

    monkeypatch.setattr(proven, "structure_set", shifted)
    with pytest.raises(Fault, match="shifted"):
        write(intake, plan, segmentation("Brainstem", cube(2, 8, 8)))


def test_dropped_islands_are_told_and_taken_off_the_volume(intake: Intake, plan: WritePlan) -> None:
    values = np.zeros((8, 8, 20), dtype=np.float32)
    values[:, :, :8] = 1
    values[3, 3, 18] = 1
    field = ProbabilityField(values, (2, 8, 8))
    specs = {"Brainstem": replace(plan.specs["Brainstem"], minimum_island_cc=0.1)}
    written = write(intake, replace(plan, specs=specs), segmentation("Brainstem", field))
    assert "1 island" in written.notes["Brainstem"][0]
    assert written.segmentations[0].volume_cc == pytest.approx(8 * 8 * 8 * 12 / 1000)
    assert written.segmentations[0].slices == 8


def test_nothing_to_write(intake: Intake, plan: WritePlan) -> None:
    absent = Segmentation("Brainstem", Status.ABSENT)
    with pytest.raises(Refusal) as caught:
        write(intake, plan, absent, Segmentation("Parotid_L", Status.NO_MODEL))
    assert caught.value.code == Code.NOTHING_SEGMENTED
    assert caught.value.detail == "1 absent, 1 no_model"
    with pytest.raises(Fault, match="1 of 2 failed"):
        write(intake, plan, absent, segmentation("Parotid_L", None))


def test_the_end_of_a_dropped_organ_is_told_even_where_no_file_leaves(
    intake: Intake, plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    contour = proven.structure_set

    def careless(*args: object, **kwargs: object) -> tuple[StructureSet, ContourReport]:
        structures, report = contour(*args, **kwargs)  # type: ignore[arg-type]
        rois = tuple(replace(roi, contours=roi.contours[:-2]) for roi in structures.rois)
        return replace(structures, rois=rois), report

    monkeypatch.setattr(proven, "structure_set", careless)
    told: list[Segmentation] = []
    only = (segmentation("Brainstem", cube(2, 8, 8)),)
    with pytest.raises(Fault, match="1 of 1 failed"):
        write_proved(intake.volume, intake.paths, only, plan, told.append)
    assert [(s.organ, s.status) for s in told] == [("Brainstem", Status.FAILED)]


def test_a_structure_is_not_written_if_its_parents_contour_is_not(
    intake: Intake, plan: WritePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A margin of a contour that failed the self-check would hide the failure."""
    names = {"Brainstem": (), "Parotid_L": (), "Margin": ("Parotid_L",), "Ring": ("Margin",)}
    specs = {name: RoiSpec(name, name, (255, 0, 0)) for name in names}
    items = [
        segmentation(name, cube(2 + 2 * n, 8 + 10 * n, 8), parents=parents)
        for n, (name, parents) in enumerate(names.items())
    ]
    monkeypatch.setattr(proven, "structure_set", careless("Parotid_L"))
    told: list[Segmentation] = []
    done = write_proved(intake.volume, intake.paths, items, replace(plan, specs=specs), told.append)
    assert statuses(done) == {
        "Brainstem": Status.SEGMENTED,
        "Parotid_L": Status.FAILED,
        "Margin": Status.NOT_DERIVED,
        "Ring": Status.NOT_DERIVED,
    }
    assert [item.organ for item in told] == ["Parotid_L", "Margin", "Ring"]
    for item, parent in zip(done.segmentations[2:], ("Parotid_L", "Margin"), strict=True):
        (flag,) = item.flags
        assert (flag.code, flag.values["parent"]) == (FlagCode.PARENT_MISSING, parent)
    rois = pydicom.dcmread(done.files[0].path, force=True).StructureSetROISequence
    assert [roi.ROIName for roi in rois] == ["Brainstem"]
