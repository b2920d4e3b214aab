"""What a written file holds, element by element: the writer's rows of the known failures."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian

from oarflow.clock import run_time
from oarflow.flags.codes import FlagCode, Scope
from oarflow.flags.flag import Flag
from oarflow.flags.table import FLAGS
from oarflow.rtstruct.contours import ContourOptions, EmptyOrgan, HoleStyle, structure_set
from oarflow.rtstruct.model import Contour, GeometricType, StructureSet
from oarflow.rtstruct.provenance import Origin, settings_digest
from oarflow.rtstruct.specs import CodedConcept
from oarflow.rtstruct.writer import rtstruct_dataset, write_rtstruct
from oarflow.structures import ModelIdentity, Segmentation, Status
from oarflow.volume import Source
from tests.oarflow.rtstruct.hand import (
    CT_STORAGE,
    MODEL,
    PROVENANCE,
    WHEN,
    field_of,
    make_grid,
    make_source,
    segmentation,
    spec,
    tilted_grid,
)

ORGANS = ("Brainstem", "Parotid_L", "Parotid_R", "SpinalCord")
SPECS = {
    organ: spec(
        organ,
        colour=(10 * i, 20, 30),
        code=CodedConcept(
            "45289007", "SCT", "Parotid gland", CodedConcept("7771000", "SCT", "Left")
        ),
    )
    for i, organ in enumerate(ORGANS)
}
GRID = make_grid()
SOURCE = make_source(9)

TYPE_1 = (
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality "
    "StructureSetLabel FrameOfReferenceUID ApprovalStatus"
)
TYPE_2 = (
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime StudyID "
    "AccessionNumber ReferringPhysicianName OperatorsName SeriesNumber Manufacturer "
    "PositionReferenceIndicator StructureSetDate StructureSetTime"
)
ALLOWED = (
    "InstanceCreationDate InstanceCreationTime SOPClassUID SOPInstanceUID StudyDate StudyTime "
    "SeriesDate SeriesTime AccessionNumber Modality Manufacturer ReferringPhysicianName "
    "SeriesDescription OperatorsName ManufacturerModelName PatientName PatientID "
    "PatientBirthDate PatientSex SoftwareVersions ContributingEquipmentSequence "
    "StudyInstanceUID SeriesInstanceUID StudyID SeriesNumber FrameOfReferenceUID "
    "PositionReferenceIndicator StructureSetLabel StructureSetDescription StructureSetDate "
    "StructureSetTime ReferencedFrameOfReferenceSequence StructureSetROISequence "
    "ROIContourSequence RTROIObservationsSequence ApprovalStatus"
)


def block(shift: int = 0, slices: slice = slice(2, 6)) -> np.ndarray:
    values = np.zeros(GRID.shape, dtype=np.float32)
    values[slices, 10 + shift : 24 + shift, 12:30] = 1
    return values


def ring_block() -> np.ndarray:
    values = block()
    values[:, 14:18, 16:22] = 0
    return values


def structures(organs: tuple[str, ...] = ORGANS, **options: object) -> StructureSet:
    fields = [segmentation(o, field_of(ring_block())) for o in organs]
    return structure_set(SOURCE, GRID, fields, SPECS, options=ContourOptions(**options))[0]


def written(tmp_path: Path, what: StructureSet | None = None, source: Source = SOURCE) -> Dataset:
    path = tmp_path / "rtstruct"
    write_rtstruct(path, what or structures(), source, GRID, provenance=PROVENANCE, when=WHEN)
    return dcmread(path)


def contour_items(dataset: Dataset) -> list[Dataset]:
    return [item for roi in dataset.ROIContourSequence for item in roi.ContourSequence]


def test_the_whole_chain_of_references_names_exactly_the_input(tmp_path: Path) -> None:
    dataset = written(tmp_path)
    (frame,) = dataset.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    images = [item.ReferencedSOPInstanceUID for item in series.ContourImageSequence]
    assert frame.FrameOfReferenceUID == dataset.FrameOfReferenceUID == "1.2.3.3"
    assert study.ReferencedSOPInstanceUID == dataset.StudyInstanceUID == "1.2.3.1"
    assert series.SeriesInstanceUID == "1.2.3.2"
    assert tuple(images) == SOURCE.sop_instance_uids
    assert {item.ReferencedSOPClassUID for item in series.ContourImageSequence} == {CT_STORAGE}
    for item in contour_items(dataset):
        (image,) = item.ContourImageSequence
        assert image.ReferencedSOPClassUID == CT_STORAGE
        assert image.ReferencedSOPInstanceUID in SOURCE.sop_instance_uids
    for roi in dataset.StructureSetROISequence:
        assert roi.ReferencedFrameOfReferenceUID == "1.2.3.3"


def test_every_point_carries_the_z_of_the_slice_it_names_with_its_own_digits(
    tmp_path: Path,
) -> None:
    z_of = {uid: f"{-120.5 + 3 * k:.1f}" for k, uid in enumerate(SOURCE.sop_instance_uids)}
    for item in contour_items(written(tmp_path)):
        uid = item.ContourImageSequence[0].ReferencedSOPInstanceUID
        values = item.get_item("ContourData").value.decode().strip().split("\\")
        assert {float(z) for z in values[2::3]} == {float(z_of[uid])}
        assert set(values[2::3]) == {z_of[uid].removesuffix(".0")}


def test_points_of_an_oblique_series_stay_within_a_thousandth_of_their_plane(
    tmp_path: Path,
) -> None:
    grid = tilted_grid(20.0)
    fields = [segmentation("Brainstem", field_of(ring_block()))]
    what = structure_set(SOURCE, grid, fields, SPECS, options=ContourOptions(decimals=1))[0]
    path = tmp_path / "rtstruct"
    write_rtstruct(path, what, SOURCE, grid, provenance=PROVENANCE, when=WHEN, decimals=1)
    away = []
    for item in contour_items(dcmread(path)):
        k = SOURCE.sop_instance_uids.index(item.ContourImageSequence[0].ReferencedSOPInstanceUID)
        points = np.array(item.ContourData, dtype=float).reshape(-1, 3)
        away.append(np.abs((points - grid.positions_lps[k]) @ grid.normal).max())
    assert len(away) == 4
    assert 0 < max(away) <= 0.001


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.permutations(ORGANS), st.integers(1, 4))
def test_the_three_sequences_agree_for_any_organs_in_any_order(
    tmp_path: Path, organs: list[str], count: int
) -> None:
    chosen = tuple(organs[:count])
    dataset = written(tmp_path, structures(chosen))
    expected = [organ for organ in ORGANS if organ in chosen]
    numbers = list(range(1, count + 1))
    assert [roi.ROIName for roi in dataset.StructureSetROISequence] == expected
    assert [roi.ROINumber for roi in dataset.StructureSetROISequence] == numbers
    assert [roi.ReferencedROINumber for roi in dataset.ROIContourSequence] == numbers
    assert [roi.ReferencedROINumber for roi in dataset.RTROIObservationsSequence] == numbers
    assert [roi.ObservationNumber for roi in dataset.RTROIObservationsSequence] == numbers


def test_every_decimal_string_is_plain_and_fits(tmp_path: Path) -> None:
    for item in contour_items(written(tmp_path)):
        raw = item.get_item("ContourData").value.decode("ascii")
        values = raw.strip().split("\\")
        assert len(values) == 3 * item.NumberOfContourPoints
        assert all(len(v) <= 16 and re.fullmatch(r"-?\d+(\.\d+)?", v) for v in values)
        assert not any(re.fullmatch(r"-0(\.0+)?", v) for v in values)
        assert max(len(raw), 0) <= 65_534


def test_contours_have_three_distinct_points_and_do_not_repeat_the_first(tmp_path: Path) -> None:
    for item in contour_items(written(tmp_path, structures(hole_style=HoleStyle.XOR))):
        points = np.array(item.ContourData, dtype=float).reshape(-1, 3)
        assert len(np.unique(points, axis=0)) == len(points) >= 3


def test_holes_are_keyholes_by_default_and_xor_only_by_option(tmp_path: Path) -> None:
    keyholes = contour_items(written(tmp_path))
    rings = contour_items(written(tmp_path, structures(hole_style=HoleStyle.XOR)))
    assert {item.ContourGeometricType for item in keyholes} == {"CLOSED_PLANAR"}
    assert {item.ContourGeometricType for item in rings} == {"CLOSEDPLANAR_XOR"}
    assert len(rings) == 2 * len(keyholes) == 2 * 4 * len(ORGANS)


def test_an_organ_without_holes_stays_closed_planar_under_xor(tmp_path: Path) -> None:
    fields = [segmentation("Brainstem", field_of(block()))]
    options = ContourOptions(hole_style=HoleStyle.XOR)
    dataset = written(tmp_path, structure_set(SOURCE, GRID, fields, SPECS, options=options)[0])
    assert {item.ContourGeometricType for item in contour_items(dataset)} == {"CLOSED_PLANAR"}


def test_no_element_is_longer_than_explicit_vr_can_carry_and_syntax_is_implicit(
    tmp_path: Path,
) -> None:
    dataset = written(tmp_path)
    assert dataset.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert max(len(i.get_item("ContourData").value) for i in contour_items(dataset)) <= 65_534


def test_required_attributes_are_there_and_times_are_one_clock_reading(tmp_path: Path) -> None:
    dataset = written(tmp_path)
    for keyword in TYPE_1.split():
        assert dataset[keyword].value, keyword
    for keyword in TYPE_2.split():
        assert keyword in dataset, keyword
    assert dataset.StructureSetDate == dataset.SeriesDate == "20260304"
    assert dataset.StructureSetTime == dataset.SeriesTime == "050607"
    for roi in dataset.RTROIObservationsSequence:
        assert roi.RTROIInterpretedType == "ORGAN"
        assert roi.ROIInterpreter == ""
    for roi in dataset.StructureSetROISequence:
        assert roi.ROIGenerationAlgorithm == "AUTOMATIC"
    assert dataset.ApprovalStatus == "UNAPPROVED"
    assert "ReviewerName" not in dataset


def test_provenance_names_software_models_and_digests(tmp_path: Path) -> None:
    dataset = written(tmp_path)
    (equipment,) = dataset.ContributingEquipmentSequence
    assert equipment.SoftwareVersions == dataset.SoftwareVersions == "9.9.9"
    for digest in (SOURCE.pixel_digest, PROVENANCE.settings_sha256, MODEL.sha256[:16]):
        assert digest in equipment.ContributionDescription
    for roi in dataset.StructureSetROISequence:
        (algorithm,) = roi.ROIDerivationAlgorithmIdentificationSequence
        assert algorithm.AlgorithmName == MODEL.name
        assert algorithm.AlgorithmVersion == MODEL.version
        assert MODEL.sha256 in algorithm.AlgorithmParameters
        assert MODEL.name in roi.ROIGenerationDescription
        assert len(roi.ROIGenerationDescription) <= 64


@pytest.mark.parametrize(
    ("origin", "models", "kind", "drawn"),
    [
        (Origin.AUTOMATIC, (MODEL,), "Automatic", "by deep learning"),
        (Origin.AUTOMATIC, (), "Automatic", "by a program"),
        (Origin.SEMIAUTOMATIC, (), "Semiautomatic", "by a person with a program"),
        (Origin.MANUAL, (), "Manual", "by hand"),
    ],
)
def test_who_drew_the_contours_is_said_as_it_was(
    origin: Origin, models: tuple[ModelIdentity, ...], kind: str, drawn: str
) -> None:
    base = structures(("Brainstem", "Parotid_L"))
    own = tuple(dataclasses.replace(roi, model=None) for roi in base.rois)
    provenance = dataclasses.replace(PROVENANCE, models=models, origin=origin)
    dataset = rtstruct_dataset(
        dataclasses.replace(base, rois=own), SOURCE, GRID, provenance=provenance, when=WHEN
    )
    assert [r.ROIGenerationAlgorithm for r in dataset.StructureSetROISequence] == [origin] * 2
    told = f"{kind} contours, not approved, for research use only"
    assert dataset.StructureSetDescription == told
    (equipment,) = dataset.ContributingEquipmentSequence
    told = f"Contours {drawn}, not approved, for research use only. "
    assert equipment.ContributionDescription.startswith(told)
    assert ("deep learning" in str(dataset)) is bool(models)


def test_regions_of_one_file_may_have_several_origins() -> None:
    base = structures(("Brainstem", "Parotid_L"))
    first, second = base.rois
    drawn = dataclasses.replace(first, algorithm="MANUAL", model=None)
    dataset = rtstruct_dataset(
        dataclasses.replace(base, rois=(drawn, second)),
        SOURCE,
        GRID,
        provenance=PROVENANCE,
        when=WHEN,
    )
    found = [r.ROIGenerationAlgorithm for r in dataset.StructureSetROISequence]
    assert found == ["MANUAL", "AUTOMATIC"]
    assert dataset.StructureSetDescription.startswith("Automatic and manual contours")
    (equipment,) = dataset.ContributingEquipmentSequence
    assert "by a program and by hand" in equipment.ContributionDescription


def test_another_origin_is_another_object() -> None:
    base = structures(("Brainstem",))
    own = dataclasses.replace(base, rois=(dataclasses.replace(base.rois[0], model=None),))
    uids = {
        rtstruct_dataset(
            own,
            SOURCE,
            GRID,
            provenance=dataclasses.replace(PROVENANCE, origin=origin),
            when=WHEN,
        ).SOPInstanceUID
        for origin in Origin
    }
    assert len(uids) == 3


@pytest.mark.parametrize(
    ("algorithm", "message"),
    [("by hand", "not one of AUTOMATIC"), ("MANUAL", "although .* drew it")],
)
def test_an_origin_that_cannot_be_is_refused(algorithm: str, message: str) -> None:
    base = structures(("Brainstem",))
    roi = dataclasses.replace(base.rois[0], algorithm=algorithm)
    with pytest.raises(ValueError, match=message):
        rtstruct_dataset(
            dataclasses.replace(base, rois=(roi,)),
            SOURCE,
            GRID,
            provenance=PROVENANCE,
            when=WHEN,
        )


def test_codes_carry_the_side_as_a_modifier(tmp_path: Path) -> None:
    observation = written(tmp_path).RTROIObservationsSequence[0]
    (code,) = observation.RTROIIdentificationCodeSequence
    (side,) = code.SegmentedPropertyTypeModifierCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("45289007", "SCT")
    assert side.CodeMeaning == "Left"


def test_only_listed_elements_are_written_and_none_is_private(tmp_path: Path) -> None:
    identity = make_source(9).identity
    identity.PatientAge = "055Y"
    identity.InstitutionName = "Somewhere"
    identity.add_new(0x00091001, "LO", "private")
    dataset = written(tmp_path, source=make_source(9, identity))
    assert {element.keyword for element in dataset} == set(ALLOWED.split())
    assert not any(element.tag.is_private for element in dataset.iterall())


NAMES = {
    "ISO_IR 100": ("ISO_IR 100", "Müller^Jörg".encode("latin-1")),
    "ISO_IR 192": ("ISO_IR 192", "Łukasz^Żółć".encode()),
    "Japanese": (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
    ),
    "odd length": ("ISO_IR 100", b"Doe^Jane^"),
    "undeclared": ("", b"M\xfcller^J"),
}


@pytest.mark.parametrize("case", NAMES)
def test_the_patients_name_keeps_its_bytes_in_every_character_set(
    case: str, tmp_path: Path
) -> None:
    charset, name = NAMES[case]
    identity = Dataset()
    for tag, vr, value in (
        (0x00080005, "CS", charset.encode()),
        (0x00100010, "PN", name),
        (0x00100020, "LO", b"47\xe411"),
    ):
        identity[tag] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    if not charset:
        del identity[0x00080005]
    path = tmp_path / "rtstruct"
    source = make_source(9, identity)
    write_rtstruct(path, structures(), source, GRID, provenance=PROVENANCE, when=WHEN)
    raw = path.read_bytes()
    even = name + b" " * (len(name) % 2)
    assert b"\x10\x00\x10\x00" + len(even).to_bytes(4, "little") + even in raw
    assert b"47\xe411 " in raw
    declared = charset.encode() + b" " * (len(charset) % 2)
    element = b"\x08\x00\x05\x00" + len(declared).to_bytes(4, "little") + declared
    assert (element in raw) == bool(charset)
    assert ("SpecificCharacterSet" in dcmread(path)) == bool(charset)


def test_the_same_run_writes_the_same_bytes_and_any_difference_another_uid(
    tmp_path: Path,
) -> None:
    def uid_of(name: str, what: StructureSet, source: Source = SOURCE, **changes: object) -> str:
        given_ = {"provenance": PROVENANCE, "when": WHEN} | changes
        return write_rtstruct(tmp_path / name, what, source, GRID, **given_)

    base = uid_of("a", structures())
    assert uid_of("b", structures()) == base
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    other_model = dataclasses.replace(MODEL, sha256="e" * 64)
    others = [
        uid_of("c", structures(ORGANS[:2])),
        uid_of("c", structures(), dataclasses.replace(SOURCE, pixel_digest="cd" * 32)),
        uid_of("c", structures(), dataclasses.replace(SOURCE, series_uid="1.2.9")),
        uid_of("c", structures(), when=WHEN + timedelta(microseconds=1)),
        *(
            uid_of("c", structures(), provenance=dataclasses.replace(PROVENANCE, **change))
            for change in (
                {"settings_sha256": "e" * 64},
                {"device": "cuda"},
                {"version": "10"},
                {"models": (other_model,)},
            )
        ),
    ]
    assert len({base, *others}) == 1 + len(others)
    for uid in (base, *others):
        assert re.fullmatch(r"2\.25\.[1-9]\d{0,38}", uid)
        assert len(uid) <= 64


def test_the_series_is_its_own(tmp_path: Path) -> None:
    dataset = written(tmp_path)
    assert dataset.SeriesInstanceUID not in (SOURCE.series_uid, dataset.SOPInstanceUID)
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID


def test_run_time_is_the_epoch_where_one_is_set() -> None:
    fixed = run_time({"SOURCE_DATE_EPOCH": "1767225600"})
    assert fixed.isoformat() == "2026-01-01T00:00:00+00:00"
    assert run_time({}).tzinfo is not None
    with pytest.raises(ValueError, match="SOURCE_DATE_EPOCH"):
        run_time({"SOURCE_DATE_EPOCH": "yesterday"})


def test_settings_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert settings_digest({"a": 1, "b": [2]}) == settings_digest({"b": [2], "a": 1})
    assert settings_digest({"a": 1}) != settings_digest({"a": 2})


def test_an_empty_organ_is_left_out_or_named_without_contour_sequence(tmp_path: Path) -> None:
    given_ = [
        segmentation("Brainstem", field_of(block())),
        Segmentation("Parotid_L", Status.ABSENT),
        segmentation("Parotid_R", field_of(np.zeros((2, 3, 4)))),
    ]
    omitted, report = structure_set(SOURCE, GRID, given_, SPECS)
    assert [roi.name for roi in omitted.rois] == ["Brainstem"]
    assert [entry.organ for entry in report.organs if not entry.contours] == ["Parotid_R"]
    options = ContourOptions(empty_organ=EmptyOrgan.NAMED)
    named, _ = structure_set(SOURCE, GRID, given_, SPECS, options=options)
    dataset = written(tmp_path, named)
    assert ["ContourSequence" in roi for roi in dataset.ROIContourSequence] == [True, False, False]
    assert dataset.StructureSetROISequence[1].ROIDescription == "absent"
    assert dataset.StructureSetROISequence[2].ROIDescription == "not contoured"


PLAIN_DESCRIPTION = "Automatic contours, not approved, for research use only"


def test_a_doubt_stands_in_the_description(tmp_path: Path) -> None:
    doubtful = dataclasses.replace(
        segmentation("Brainstem", field_of(block())),
        status=Status.SUSPICIOUS,
        flags=(
            Flag.of(FlagCode.VOLUME_LOW, volume_cc=2.1, limit_cc=7),
            Flag.of(FlagCode.NO_OUTLINE, reason="x"),
            Flag.of(FlagCode.REGION_ORGAN_MISSING, organ="über", status="absent", codes=()),
        ),
    )
    dataset = written(tmp_path, structure_set(SOURCE, GRID, [doubtful], SPECS)[0])
    text = dataset.StructureSetROISequence[0].ROIDescription
    assert text == (
        "suspicious; volume 2.1 cc, usually at least 7.0 cc; no outline for the RTSTRUCT; searched "
        "for near ?ber, which has no contour"
    )
    assert dataset.StructureSetDescription == PLAIN_DESCRIPTION


def test_what_concerns_the_study_stands_in_every_description(tmp_path: Path) -> None:
    child = Flag.of(FlagCode.PATIENT_UNDER_18, age_years=12, limit_years=18)
    given_ = [
        dataclasses.replace(
            segmentation("Brainstem", field_of(block())),
            status=Status.SUSPICIOUS,
            flags=(Flag.of(FlagCode.PATCH_EDGE),),
        ),
        segmentation("Parotid_R", field_of(block())),
    ]
    structures_, _ = structure_set(SOURCE, GRID, given_, SPECS, study_flags=[child])
    dataset = written(tmp_path, structures_)
    assert dataset.StructureSetDescription == (
        f"{PLAIN_DESCRIPTION}. Check the whole study: Patient is 12 years old; the networks were "
        "trained on adults."
    )
    short = "whole study: patient is 12 years old, networks learned from adults"
    assert [item.ROIDescription for item in dataset.StructureSetROISequence] == [
        f"suspicious; {short}; reaches the edge of the network's input",
        f"segmented; {short}",
    ]


def test_every_flag_at_once_fits_its_description_and_the_study_s_is_not_cut(
    tmp_path: Path,
) -> None:
    flags = [Flag.of(code, **row.example) for code, row in FLAGS.items()]
    of_study = [flag for flag in flags if flag.scope is Scope.STUDY]
    organ = dataclasses.replace(
        segmentation("Brainstem", field_of(block())), status=Status.SUSPICIOUS, flags=tuple(flags)
    )
    structures_, _ = structure_set(SOURCE, GRID, [organ], SPECS, study_flags=of_study)
    dataset = written(tmp_path, structures_)
    for flag in of_study:
        assert flag.message in dataset.StructureSetDescription
        assert flag.short in dataset.StructureSetROISequence[0].ROIDescription
    assert len(dataset.StructureSetDescription) < 1024
    assert len(dataset.StructureSetROISequence[0].ROIDescription) == 1024


def _with_contour(contour: Contour) -> StructureSet:
    base = structures(("Brainstem",))
    roi = dataclasses.replace(base.rois[0], contours=(contour,))
    return dataclasses.replace(base, rois=(roi,))


TRIANGLE = np.array([(0.0, 0, -120.5), (5, 0, -120.5), (0, 5, -120.5)])


@pytest.mark.parametrize(
    ("contour", "message"),
    [
        (Contour(TRIANGLE[:2], "1.2.3.4.1"), "2 points"),
        (Contour(TRIANGLE, "1.2.3.4.99"), "no image"),
        (Contour(TRIANGLE, None), "no image"),
        (Contour(TRIANGLE + np.array((0, 0, 0.002)), "1.2.3.4.1"), "off the plane"),
        (Contour(TRIANGLE, "1.2.3.4.2"), "off the plane"),
        (Contour(TRIANGLE, "1.2.3.4.1", GeometricType.POINT), "not written"),
        (Contour(np.tile(TRIANGLE, (1500, 1)), "1.2.3.4.1"), "bytes of text"),
    ],
)
def test_what_would_make_a_bad_file_is_refused(contour: Contour, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rtstruct_dataset(_with_contour(contour), SOURCE, GRID, provenance=PROVENANCE, when=WHEN)


def test_repeated_numbers_or_names_are_refused() -> None:
    base = structures(ORGANS[:2])
    first, second = base.rois
    for bad in (
        dataclasses.replace(second, number=1),
        dataclasses.replace(second, name=first.name.upper()),
    ):
        with pytest.raises(ValueError, match=r"numbers|names"):
            rtstruct_dataset(
                dataclasses.replace(base, rois=(first, bad)),
                SOURCE,
                GRID,
                provenance=PROVENANCE,
                when=WHEN,
            )


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    written(tmp_path)
    run = subprocess.run(
        ["dciodvfy", "-new", tmp_path / "rtstruct"], capture_output=True, text=True, check=False
    )
    assert "RTStructureSet" in run.stderr
    assert [line for line in run.stderr.splitlines() if line.startswith("Error")] == []


def test_a_files_uid_does_not_depend_on_what_the_program_calls_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written(tmp_path).SOPInstanceUID
    monkeypatch.setattr(CodedConcept, "__repr__", lambda self: "another name")
    assert written(tmp_path).SOPInstanceUID == before
