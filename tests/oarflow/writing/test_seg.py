"""A SEG read back by highdicom holds the very masks, on the CT's own slices."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread

from oarflow.rtstruct.provenance import Origin
from oarflow.rtstruct.specs import CodedConcept
from oarflow.structures import Segmentation, Status
from oarflow.writing.seg import write_seg
from tests.oarflow.rtstruct.hand import (
    MODEL,
    PROVENANCE,
    WHEN,
    field_of,
    make_grid,
    make_source,
    segmentation,
    spec,
)

SHAPE = (6, 13, 11)
GRID = make_grid(SHAPE, (1.5, 0.75))
SOURCE = make_source(6)
SIDE = CodedConcept("7771000", "SCT", "Left")
SPECS = {
    "Parotid_L": spec(
        "Parotid_L", colour=(255, 0, 0), code=CodedConcept("45289007", "SCT", "Parotid gland", SIDE)
    ),
    "SpinalCord": spec("SpinalCord", colour=(255, 255, 255)),
    "Brainstem": spec("Brainstem"),
}


def random_mask(seed: int, slices: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[slices] = np.random.default_rng(seed).random(mask[slices].shape) > 0.6
    return mask


MASKS = {"SpinalCord": random_mask(1, np.s_[0:3]), "Parotid_L": random_mask(2, np.s_[2:5])}


def cropped(mask: np.ndarray) -> Segmentation:
    """The mask as a field cropped to its box, as the chain hands it on."""
    low, high = np.argwhere(mask).min(axis=0), np.argwhere(mask).max(axis=0) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return field_of(mask[box], tuple(low.tolist()))


SEGMENTATIONS = [segmentation(organ, cropped(mask)) for organ, mask in MASKS.items()]


def write(path: Path, segmentations: list[Segmentation] = SEGMENTATIONS, **changes: object) -> str:
    given = {"provenance": PROVENANCE, "when": WHEN} | changes
    return write_seg(path, segmentations, SOURCE, GRID, SPECS, **given)


def test_masks_come_back_voxel_for_voxel_on_their_slices(tmp_path: Path) -> None:
    write(tmp_path / "seg")
    seg = hd.seg.segread(tmp_path / "seg")
    for number, organ in enumerate(("Parotid_L", "SpinalCord"), start=1):
        pixels = seg.get_pixels_by_source_instance(
            list(SOURCE.sop_instance_uids),
            segment_numbers=[number],
            ignore_spatial_locations=True,
            assert_missing_frames_are_empty=True,
        )
        assert np.array_equal(pixels[..., 0].astype(bool), MASKS[organ])


def test_geometry_is_the_grids(tmp_path: Path) -> None:
    write(tmp_path / "seg")
    dataset = dcmread(tmp_path / "seg")
    shared = dataset.SharedFunctionalGroupsSequence[0]
    assert shared.PixelMeasuresSequence[0].PixelSpacing == [1.5, 0.75]
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
    assert (dataset.Rows, dataset.Columns) == SHAPE[1:]
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        k = SOURCE.sop_instance_uids.index(source.ReferencedSOPInstanceUID)
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert position == pytest.approx(GRID.positions_lps[k].tolist())


def test_segments_carry_names_codes_colours_and_the_network(tmp_path: Path) -> None:
    write(tmp_path / "seg")
    dataset = dcmread(tmp_path / "seg")
    parotid, cord = dataset.SegmentSequence
    assert [s.SegmentLabel for s in (parotid, cord)] == ["Parotid_L", "SpinalCord"]
    kind = parotid.SegmentedPropertyTypeCodeSequence[0]
    assert kind.CodeValue == "45289007"
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert cord.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator == "99OARFLOW"
    # sRGB red in CIELab (D65 to D50) is L 53 to 54.3; white is L 100, a 0, b 0.
    assert parotid.RecommendedDisplayCIELabValue[0] / 65535 * 100 == pytest.approx(53.8, abs=1)
    assert cord.RecommendedDisplayCIELabValue == pytest.approx([65535, 32896, 32896], abs=40)
    for segment in (parotid, cord):
        (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        assert algorithm.AlgorithmVersion == MODEL.version
        assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"
    assert PROVENANCE.settings_sha256 in (
        dataset.ContributingEquipmentSequence[0].ContributionDescription
    )
    assert dataset.PatientName == "Doe^Jane"
    assert dataset.SegmentsOverlap == "YES"


@pytest.mark.parametrize("origin", Origin)
def test_who_drew_the_segments_is_said_as_it_was(tmp_path: Path, origin: Origin) -> None:
    provenance = dataclasses.replace(PROVENANCE, models=(), origin=origin)
    drawn = [dataclasses.replace(one, model=None) for one in SEGMENTATIONS]
    write(tmp_path / "seg", drawn, provenance=provenance)
    dataset = dcmread(tmp_path / "seg")
    assert {one.SegmentAlgorithmType for one in dataset.SegmentSequence} == {origin}
    assert dataset.ContentDescription.startswith(f"{origin.capitalize()} contours")
    assert "deep learning" not in str(dataset)
    if origin is Origin.MANUAL:
        with pytest.raises(ValueError, match="although a network drew"):
            write(tmp_path / "other", provenance=provenance)


def test_a_repeat_is_the_same_file_and_another_mask_another_object(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert first == second
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert write(tmp_path / "c", SEGMENTATIONS[:1]) != first
    later = WHEN.replace(microsecond=1)
    assert write(tmp_path / "c", when=later) != first


def test_organs_without_a_mask_have_no_segment(tmp_path: Path) -> None:
    empty = segmentation("Brainstem", field_of(np.zeros((2, 3, 4))))
    absent = Segmentation("Brainstem", Status.ABSENT)
    for extra in (empty, absent):
        write(tmp_path / "seg", [*SEGMENTATIONS, extra])
        assert len(dcmread(tmp_path / "seg").SegmentSequence) == 2
        with pytest.raises(ValueError, match="nothing to write"):
            write(tmp_path / "seg", [extra])


def test_segments_apart_are_said_not_to_overlap(tmp_path: Path) -> None:
    apart = dataclasses.replace(SEGMENTATIONS[1], field=cropped(random_mask(3, np.s_[4:6])))
    write(tmp_path / "seg", [SEGMENTATIONS[0], apart])
    assert dcmread(tmp_path / "seg").SegmentsOverlap == "NO"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    write(tmp_path / "seg")
    run = subprocess.run(
        ["dciodvfy", "-new", tmp_path / "seg"], capture_output=True, text=True, check=False
    )
    assert "Segmentation" in run.stderr
    assert [line for line in run.stderr.splitlines() if line.startswith("Error")] == []
