"""RTStruct: masks to an RTSTRUCT and back, changed files, names, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

from oarflow import rtstruct
from oarflow.errors import ConfigurationError, Fault, Refusal
from oarflow.rtstruct import Origin, ReadError, RTStruct
from oarflow.rtstruct.errors import ReadCode
from oarflow.rtstruct.lint import images_below, lint
from tests.oarflow.rtstruct.cases import ball, field_of
from tests.oarflow.rtstruct.two_frames import VARIANTS, move_to_mr
from tests.phantoms import make_series, write_series

ROOT = Path(__file__).resolve().parents[3]
PHANTOM = {"slices": 14, "rows": 64, "columns": 72, "spacing_yx": (1.5, 1.2), "step_mm": 2.5}


def write_ct(folder: Path, **changes: object) -> Path:
    write_series(folder, make_series(**{**PHANTOM, **changes}))
    return folder


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ct(tmp_path_factory.mktemp("rtstruct") / "ct")


def empty(shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape, dtype=bool)


def block(shape: tuple[int, ...]) -> np.ndarray:
    mask = empty(shape)
    mask[3:9, 20:40, 18:50] = True
    return mask


def with_hole(shape: tuple[int, ...]) -> np.ndarray:
    mask = block(shape)
    mask[4:8, 26:33, 30:38] = False
    mask[5:7, 28:31, 33:35] = True
    return mask


def pieces(shape: tuple[int, ...]) -> np.ndarray:
    mask = empty(shape)
    mask[2:5, 10:20, 10:20] = True
    mask[2:5, 30:36, 40:60] = True
    mask[9:11, 50:60, 5:15] = True
    return mask


def diagonal(shape: tuple[int, ...]) -> np.ndarray:
    mask = empty(shape)
    mask[4:6, 10:20, 10:20] = True
    mask[4:6, 20:30, 20:30] = True
    return mask


def one_voxel(shape: tuple[int, ...]) -> np.ndarray:
    mask = empty(shape)
    mask[6, 31, 22] = True
    return mask


def line(shape: tuple[int, ...]) -> np.ndarray:
    mask = empty(shape)
    mask[6, 31, 10:40] = True
    return mask


def edges(shape: tuple[int, ...]) -> np.ndarray:
    """Up to every face of the image."""
    mask = empty(shape)
    mask[:, :12, :9] = True
    mask[:, -5:, -4:] = True
    return mask


def scattered(shape: tuple[int, ...]) -> np.ndarray:
    mask = empty(shape)
    mask[5:7, 10:34, 10:34] = np.random.default_rng(5).random((2, 24, 24)) > 0.7
    return mask


SHAPES = [block, with_hole, pieces, diagonal, one_voxel, line, edges, scattered]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mask_comes_back_voxel_by_voxel(ct: Path, tmp_path: Path, shape) -> None:
    structures = RTStruct.new(ct=ct)
    wanted = shape(structures.grid.shape)
    structures.add("Region", wanted)
    np.testing.assert_array_equal(structures.masks["Region"], wanted)
    structures.save(tmp_path / "rs.dcm")
    again = RTStruct.open(tmp_path / "rs.dcm", ct=ct)
    np.testing.assert_array_equal(again.masks["Region"], wanted)
    assert not any("beyond the image" in remark for remark in again.remarks("Region"))
    found = lint(tmp_path / "rs.dcm", ct=images_below(ct))
    assert [f.rule for f in found if f.severity.value == "error"] == []


@pytest.mark.parametrize(
    ("position", "order"),
    [
        ("HFS", "descending"),
        ("HFP", "shuffled"),
        ("FFS", "ascending"),
        ("FFP", "shuffled"),
        ("FFDR", "descending"),
    ],
)
def test_contours_lie_where_the_raw_headers_put_the_mask(
    tmp_path: Path, position: str, order: str
) -> None:
    """A block given in patient millimetres: read with pydicom alone, it has these corners."""
    datasets = make_series(**{**PHANTOM, "patient_position": position})
    write_series(tmp_path / "ct", datasets, order=order)
    structures = RTStruct.new(ct=tmp_path / "ct")
    index = np.stack(np.meshgrid(*map(np.arange, structures.grid.shape), indexing="ij"), -1)
    x, y, z = np.moveaxis(structures.grid.index_to_patient(index), -1, 0)
    low, high = np.array((-10.0, -20.0, -7.0)), np.array((14.0, 4.0, 9.0))
    inside = np.ones(structures.grid.shape, dtype=bool)
    for value, lower, upper in zip((x, y, z), low, high, strict=True):
        inside &= (value > lower) & (value < upper)
    structures.add("Block", inside)
    structures.save(tmp_path / "rs.dcm")
    saved = dcmread(tmp_path / "rs.dcm")
    points = np.concatenate(
        [
            np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            for contour in saved.ROIContourSequence[0].ContourSequence
        ]
    )
    centres = np.concatenate([_centres(dataset) for dataset in datasets])
    chosen = centres[((centres > low) & (centres < high)).all(axis=1)]
    half = {0: 0.6, 1: 0.75} if position != "FFDR" else {0: 0.75, 1: 0.6}
    for axis in (0, 1):
        assert points[:, axis].min() == pytest.approx(chosen[:, axis].min() - half[axis], abs=2e-3)
        assert points[:, axis].max() == pytest.approx(chosen[:, axis].max() + half[axis], abs=2e-3)
    assert points[:, 2].min() == pytest.approx(chosen[:, 2].min(), abs=1e-6)
    assert points[:, 2].max() == pytest.approx(chosen[:, 2].max(), abs=1e-6)


def _centres(dataset: Dataset) -> np.ndarray:
    """Voxel centres of one image (PS3.3 C.7.6.2.1.1), written plainly."""
    origin = np.array(dataset.ImagePositionPatient, dtype=float)
    cosines = np.array(dataset.ImageOrientationPatient, dtype=float)
    row_mm, column_mm = map(float, dataset.PixelSpacing)
    row, column = np.indices((dataset.Rows, dataset.Columns))
    return np.asarray(
        origin
        + column.reshape(-1, 1) * column_mm * cosines[:3]
        + row.reshape(-1, 1) * row_mm * cosines[3:]
    )


def test_a_probability_field_is_followed_between_the_voxels(ct: Path, tmp_path: Path) -> None:
    """A ball by formula: its contours' volume from the field is right where the mask's is not."""
    structures = RTStruct.new(ct=ct)
    radius, centre = 11.3, (1.0, -3.0, 0.5)
    field = field_of(ball(centre, radius, soft_mm=4.0), structures.grid)
    values = np.zeros(structures.grid.shape)
    values[field.box] = field.values
    structures.add("Soft", values)
    structures.add("Hard", values >= 0.5)
    structures.save(tmp_path / "rs.dcm")
    saved = dcmread(tmp_path / "rs.dcm")
    worst = {}
    for definition, drawing in zip(
        saved.StructureSetROISequence, saved.ROIContourSequence, strict=True
    ):
        away = []
        for contour in drawing.ContourSequence:
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            away.append(np.abs(np.linalg.norm(points - centre, axis=1) - radius).max())
        worst[definition.ROIName] = float(np.median(away))
    assert worst["Soft"] < 0.1
    assert worst["Hard"] > 0.4


def test_names_colours_types_and_origins_are_written(ct: Path, tmp_path: Path) -> None:
    structures = RTStruct.new(ct=ct, label="Mine")
    mask = block(structures.grid.shape)
    structures.add("Parotid left, new (2)", mask, colour="#10ff02", origin="MANUAL")
    structures.add("Drüse", mask, colour=(1, 2, 3), origin=Origin.SEMIAUTOMATIC)
    structures.add("PTV 70", mask, interpreted_type="PTV")
    structures.save(tmp_path / "rs.dcm")
    saved = dcmread(tmp_path / "rs.dcm")
    assert saved.StructureSetLabel == "Mine"
    said = [
        (r.ROINumber, r.ROIName, r.ROIGenerationAlgorithm) for r in saved.StructureSetROISequence
    ]
    assert said == [
        (1, "Parotid left, new (2)", "MANUAL"),
        (2, "Drüse", "SEMIAUTOMATIC"),
        (3, "PTV 70", "AUTOMATIC"),
    ]
    colours = [list(r.ROIDisplayColor) for r in saved.ROIContourSequence]
    assert colours[:2] == [[16, 255, 2], [1, 2, 3]]
    types = [r.RTROIInterpretedType for r in saved.RTROIObservationsSequence]
    assert types == ["ORGAN", "ORGAN", "PTV"]
    text = saved.ContributingEquipmentSequence[0].ContributionDescription
    assert "by a program and by a person with a program and by hand" in text
    assert saved.ApprovalStatus == "UNAPPROVED"
    assert list(rtstruct.read(tmp_path / "rs.dcm", ct=ct)) == [name for _, name, _ in said]


@pytest.mark.parametrize(
    ("charset", "name", "allowed"),
    [
        ("ISO_IR 192", "左耳下腺", True),
        ("ISO_IR 192", "Μυελός", True),
        ("ISO_IR 100", "Drüse links", True),
        ("ISO_IR 100", "左耳下腺", False),
        ("ISO_IR 144", "Спинной мозг", True),
        ("GB18030", "腮腺", True),
        (["", "ISO 2022 IR 87"], "耳下腺", True),
        (None, "Drüse", False),
        (None, "Parotid left", True),
        (["", "ISO 2022 IR 87"], "Drüse", False),
    ],
)
def test_a_name_may_have_every_script_of_the_cts_character_set(
    tmp_path: Path, charset: object, name: str, allowed: bool
) -> None:
    ct = write_ct(tmp_path / "ct", tags={"SpecificCharacterSet": charset})
    structures = RTStruct.new(ct=ct)
    mask = block(structures.grid.shape)
    if not allowed:
        with pytest.raises(ConfigurationError, match="character set") as caught:
            structures.add(name, mask)
        assert caught.value.code == "ROI_NAMES"
        return
    structures.add(name, mask)
    structures.save(tmp_path / "rs.dcm")
    saved = dcmread(tmp_path / "rs.dcm")
    assert saved.StructureSetROISequence[0].ROIName == name
    assert saved.get("SpecificCharacterSet") == charset
    assert list(rtstruct.read(tmp_path / "rs.dcm", ct=ct)) == [name]


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("generic", "Parotid left"),
        ("eclipse", "A_name_of_17_char"),
        ("dicom", "A" * 65),
        ("dicom", ""),
        ("dicom", " Parotid"),
        ("dicom", "a\\b"),
        ("dicom", "a\nb"),
    ],
)
def test_a_name_that_the_profile_does_not_take_is_refused(
    ct: Path, profile: str, name: str
) -> None:
    structures = RTStruct.new(ct=ct, profile=profile)
    with pytest.raises((ConfigurationError, ValueError), match="ROI name"):
        structures.add(name, block(structures.grid.shape))
    assert list(structures.masks) == []


def test_a_name_is_taken_once_whatever_its_case_or_spelling(ct: Path) -> None:
    structures = RTStruct.new(ct=ct)
    mask = block(structures.grid.shape)
    structures.add("Drüse", mask)
    for again in ("Drüse", "DRÜSE", "Dru\u0308se"):
        with pytest.raises((ValueError, ConfigurationError)):
            structures.add(again, mask)
    structures.remove("Drüse")
    structures.add("drüse", mask)
    assert list(structures.masks) == ["drüse"]


@pytest.mark.parametrize(
    ("mask", "why"),
    [
        (empty, "empty"),
        (lambda s: empty(s)[1:], r"shape \(13, 64, 72\)"),
        (lambda s: np.moveaxis(block(s), 0, -1), "moveaxis"),
        (lambda s: block(s).astype(np.int16) * 3, "has values 0 to 3"),
        (lambda s: block(s) * 1.5, "has values 0.0 to 1.5"),
        (lambda s: np.where(block(s), np.nan, 0), "nan"),
        (lambda s: block(s) * 0.4, "no voxel reaches"),
        (lambda s: -block(s).astype(float), "has values -1"),
        (lambda s: block(s).astype(str), "type"),
    ],
)
def test_a_mask_that_cannot_be_meant_is_refused(ct: Path, mask, why: str) -> None:
    structures = RTStruct.new(ct=ct)
    with pytest.raises(ValueError, match=why):
        structures.add("Region", mask(structures.grid.shape))


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32, np.float64])
def test_zero_and_one_are_a_mask_in_any_type(ct: Path, kind: type) -> None:
    structures = RTStruct.new(ct=ct)
    mask = block(structures.grid.shape)
    structures.add("Region", mask.astype(kind))
    np.testing.assert_array_equal(structures.masks["Region"], mask)


@pytest.mark.parametrize(
    "given",
    [
        {"colour": (1, 2)},
        {"colour": (0, 0, 256)},
        {"colour": "red"},
        {"origin": "HAND"},
        {"interpreted_type": "TUMOUR"},
    ],
)
def test_what_dicom_does_not_know_is_refused(ct: Path, given: dict[str, object]) -> None:
    structures = RTStruct.new(ct=ct)
    with pytest.raises(ValueError, match=r"HAND|TUMOUR|colour"):
        structures.add("Region", block(structures.grid.shape), **given)


def test_a_speck_below_what_readers_take_is_told(tmp_path: Path) -> None:
    """A voxel of 0.3 mm has an outline of 0.045 mm2, under the least that is written."""
    ct = write_ct(tmp_path / "ct", spacing_yx=(0.3, 0.3))
    structures = RTStruct.new(ct=ct)
    with pytest.raises(ValueError, match="no outline is large enough"):
        structures.add("Speck", one_voxel(structures.grid.shape))
    structures.add("Both", block(structures.grid.shape) | one_voxel(structures.grid.shape)[:, ::-1])
    mask = block(structures.grid.shape)
    mask[6, 60, 60] = True
    structures.add("Lost", mask)
    assert "1 speck(s)" in " ".join(structures.remarks("Lost"))


def test_save_never_overwrites_by_accident(ct: Path, tmp_path: Path) -> None:
    structures = RTStruct.new(ct=ct)
    with pytest.raises(ValueError, match="at least one region"):
        structures.save(tmp_path / "rs.dcm")
    assert list(tmp_path.iterdir()) == []
    structures.add("Region", block(structures.grid.shape))
    structures.save(tmp_path / "rs.dcm")
    before = (tmp_path / "rs.dcm").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        structures.save(tmp_path / "rs.dcm")
    assert (tmp_path / "rs.dcm").read_bytes() == before
    structures.add("More", block(structures.grid.shape))
    structures.save(tmp_path / "rs.dcm", overwrite=True)
    assert (tmp_path / "rs.dcm").read_bytes() != before
    own = sorted(ct.iterdir())[3]
    pixels = own.read_bytes()
    with pytest.raises(FileExistsError, match="file of the CT"):
        structures.save(own, overwrite=True)
    assert own.read_bytes() == pixels
    with pytest.raises(FileNotFoundError):
        structures.save(tmp_path / "missing" / "rs.dcm")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rs.dcm"]


def test_the_same_masks_make_the_same_bytes(
    ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("a.dcm", "b.dcm"):
        masks = {"Region": block((14, 64, 72)), "Other": pieces((14, 64, 72))}
        rtstruct.write(tmp_path / name, masks, ct=ct, colours={"Other": "#0000ff"}, origin="MANUAL")
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    saved = dcmread(tmp_path / "a.dcm")
    assert [list(r.ROIDisplayColor) for r in saved.ROIContourSequence][1] == [0, 0, 255]


def test_a_file_that_fails_its_proof_gets_no_name(
    ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contours moved by half a centimetre between the mask and the file."""
    structures = RTStruct.new(ct=ct)
    structures.add("Region", block(structures.grid.shape))
    region = structures._regions["Region"]
    for contour in region.roi.contours:
        contour.points_lps[:, 0] += 5.0
    with pytest.raises(Fault, match="self-check found: Region"):
        structures.save(tmp_path / "rs.dcm")
    assert list(tmp_path.iterdir()) == []


def test_a_ct_that_changed_on_the_way_fails_the_proof(tmp_path: Path) -> None:
    """A header altered after the CT was read, as if its slices had been read wrongly."""
    ct = write_ct(tmp_path / "ct")
    structures = RTStruct.new(ct=ct)
    structures.add("Region", block(structures.grid.shape))
    first = sorted(ct.iterdir())[4]
    changed = dcmread(first)
    changed.ImagePositionPatient = [float(v) + 3 for v in changed.ImagePositionPatient]
    changed.save_as(first)
    with pytest.raises(Fault, match="does not lie where"):
        structures.save(tmp_path / "rs.dcm")
    assert not (tmp_path / "rs.dcm").exists()


# Files of others


def foreign(path: Path, ct: Path) -> Dataset:
    """An RTSTRUCT unlike ours: numbers 7 and 3, coordinates of 6 decimals, a point, extra items."""
    rtstruct.write(
        path,
        {
            "Keep me": with_hole((14, 64, 72)),
            "Change me": block((14, 64, 72)),
            "Isocentre": one_voxel((14, 64, 72)),
        },
        ct=ct,
    )
    dataset = dcmread(path)
    for old, new in {1: 7, 2: 3, 3: 12}.items():
        for sequence, keyword in (
            ("StructureSetROISequence", "ROINumber"),
            ("ROIContourSequence", "ReferencedROINumber"),
            ("RTROIObservationsSequence", "ReferencedROINumber"),
        ):
            item = next(i for i in getattr(dataset, sequence) if getattr(i, keyword) == old)
            setattr(item, f"{keyword}", -new)
    for sequence, keyword in (
        ("StructureSetROISequence", "ROINumber"),
        ("ROIContourSequence", "ReferencedROINumber"),
        ("RTROIObservationsSequence", "ReferencedROINumber"),
    ):
        for item in getattr(dataset, sequence):
            setattr(item, keyword, -getattr(item, keyword))
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        data = [f"{float(v) + 0.0001234:.7f}" for v in contour.ContourData]
        data[2::3] = [str(v) for v in contour.ContourData[2::3]]
        contour.ContourData = data
        del contour.ContourImageSequence
    point = dataset.ROIContourSequence[2].ContourSequence
    point[0].ContourGeometricType, point[0].NumberOfContourPoints = "POINT", 1
    point[0].ContourData = ["1.5", "2.5", "0.03"]
    dataset.ROIContourSequence[2].ContourSequence = point[:1]
    observation = dataset.RTROIObservationsSequence[0]
    observation.ROIObservationLabel = "seen by hand"
    observation.ROIInterpreter = "Planner^One"
    physical = Dataset()
    physical.ROIPhysicalProperty, physical.ROIPhysicalPropertyValue = "REL_ELEC_DENSITY", "1.02"
    observation.ROIPhysicalPropertiesSequence = [physical]
    dataset.StructureSetROISequence[0].ROIGenerationAlgorithm = "MANUAL"
    dataset.StructureSetROISequence[0].ROIVolume = "12.25"
    dataset.ApprovalStatus = "APPROVED"
    dataset.ReviewerName, dataset.ReviewDate, dataset.ReviewTime = "A^B", "20200101", "101010"
    dataset.StructureSetLabel = "Clinic"
    dataset.Manufacturer = "Other vendor"
    dcmwrite(path, dataset)
    return dataset


def raw_contours(path: Path, number: int) -> list[tuple[str, bytes]]:
    """Type and coordinate text of a region's contours, padding aside."""
    dataset = dcmread(path)
    drawing = next(i for i in dataset.ROIContourSequence if i.ReferencedROINumber == number)
    return [
        (
            contour.ContourGeometricType,
            bytes(contour.get_item("ContourData").value).strip(),
        )
        for contour in drawing.ContourSequence
    ]


def test_regions_that_nobody_touched_stay_as_they_are(ct: Path, tmp_path: Path) -> None:
    path, changed = tmp_path / "foreign.dcm", tmp_path / "changed.dcm"
    before = foreign(path, ct)
    structures = RTStruct.open(path, ct=ct)
    assert list(structures.masks) == ["Keep me", "Change me", "Isocentre"]
    np.testing.assert_array_equal(structures.masks["Keep me"], with_hole((14, 64, 72)))
    assert not structures.masks["Isocentre"].any()
    assert any("no area" in remark for remark in structures.remarks("Isocentre"))
    structures.remove("Change me")
    structures.add("Change me", pieces((14, 64, 72)), origin="SEMIAUTOMATIC")
    structures.save(changed)
    for number in (7, 12):
        assert raw_contours(changed, number) == raw_contours(path, number)
    after = dcmread(changed)
    assert [(i.ROINumber, i.ROIName) for i in after.StructureSetROISequence] == [
        (7, "Keep me"),
        (12, "Isocentre"),
        (1, "Change me"),
    ]
    assert after.StructureSetROISequence[0] == before.StructureSetROISequence[0]
    assert after.RTROIObservationsSequence[0] == before.RTROIObservationsSequence[0]
    assert (
        after.ROIContourSequence[0].ROIDisplayColor == before.ROIContourSequence[0].ROIDisplayColor
    )
    observed = [i.ObservationNumber for i in after.RTROIObservationsSequence]
    assert len(set(observed)) == 3
    assert (after.StructureSetLabel, after.ApprovalStatus) == ("Clinic", "UNAPPROVED")
    assert "ReviewerName" not in after
    assert after.Manufacturer == "OARflow"
    assert after.SOPInstanceUID != before.SOPInstanceUID
    predecessor = after.PredecessorStructureSetSequence[0]
    assert predecessor.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert after.StructureSetDescription.startswith("Automatic and semiautomatic and manual")
    again = rtstruct.read(changed, ct=ct)
    np.testing.assert_array_equal(again["Keep me"], with_hole((14, 64, 72)))
    np.testing.assert_array_equal(again["Change me"], pieces((14, 64, 72)))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_encodings_keep_their_contours(ct: Path, tmp_path: Path, syntax: str) -> None:
    path = tmp_path / "explicit.dcm"
    dataset = foreign(tmp_path / "implicit.dcm", ct)
    dataset.file_meta.TransferSyntaxUID = syntax
    dcmwrite(path, dataset, implicit_vr=False, little_endian=syntax == ExplicitVRLittleEndian)
    structures = RTStruct.open(path, ct=ct)
    structures.add("New", pieces(structures.grid.shape))
    structures.save(tmp_path / "changed.dcm")
    for number in (7, 3, 12):
        assert raw_contours(tmp_path / "changed.dcm", number) == raw_contours(path, number)


def test_a_name_in_another_character_set_is_written_in_the_cts(tmp_path: Path) -> None:
    """The file says UTF-8, the CT Latin-1: the same letters, other bytes."""
    ct = write_ct(tmp_path / "ct")
    path = tmp_path / "utf8.dcm"
    rtstruct.write(path, {"A": block((14, 64, 72)), "B": pieces((14, 64, 72))}, ct=ct)
    dataset = dcmread(path)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StructureSetROISequence[0].ROIName = "Drüse"
    dataset.StructureSetROISequence[0].ROIDescription = "größer"
    dcmwrite(path, dataset)
    structures = RTStruct.open(path, ct=ct)
    structures.remove("B")
    structures.save(tmp_path / "changed.dcm")
    saved = dcmread(tmp_path / "changed.dcm")
    assert saved.SpecificCharacterSet == "ISO_IR 100"
    assert saved.StructureSetROISequence[0].ROIName == "Drüse"
    assert saved.StructureSetROISequence[0].ROIDescription == "größer"
    dataset.StructureSetROISequence[0].ROIName = "腮腺"
    dcmwrite(path, dataset)
    structures = RTStruct.open(path, ct=ct)
    with pytest.raises(ConfigurationError, match="another name"):
        structures.save(tmp_path / "other.dcm")
    dataset.StructureSetROISequence[0].ROIName = "A"
    dataset.StructureSetROISequence[0].ROIDescription = "腮腺"
    dcmwrite(path, dataset)
    with pytest.raises(ValueError, match="ROI Description"):
        RTStruct.open(path, ct=ct).save(tmp_path / "other.dcm")
    assert not (tmp_path / "other.dcm").exists()


def test_repeated_and_missing_names_lose_no_region(ct: Path, tmp_path: Path) -> None:
    path = tmp_path / "rs.dcm"
    masks = {"A": block((14, 64, 72)), "B": pieces((14, 64, 72)), "C": line((14, 64, 72))}
    rtstruct.write(path, masks, ct=ct)
    dataset = dcmread(path)
    dataset.StructureSetROISequence[1].ROIName = "A"
    dataset.StructureSetROISequence[2].ROIName = ""
    dcmwrite(path, dataset)
    structures = RTStruct.open(path, ct=ct)
    assert list(structures.masks) == ["A", "A #2", "#3"]
    assert len(structures.notes) == 2
    for name, mask in zip(structures.masks, masks.values(), strict=True):
        np.testing.assert_array_equal(structures.masks[name], mask)
    structures.add("New", diagonal((14, 64, 72)))
    structures.save(tmp_path / "changed.dcm")
    saved = dcmread(tmp_path / "changed.dcm")
    assert [i.ROIName for i in saved.StructureSetROISequence] == ["A", "A", "", "New"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_region_of_another_frame_is_named_and_kept(
    ct: Path, tmp_path: Path, variant: object
) -> None:
    path = tmp_path / "rs.dcm"
    rtstruct.write(path, {"A": block((14, 64, 72)), "B": pieces((14, 64, 72))}, ct=ct)
    dataset = dcmread(path)
    move_to_mr(dataset, "B", variant)
    dcmwrite(path, dataset)
    structures = RTStruct.open(path, ct=ct)
    assert list(structures.masks) == ["A"]
    assert any("'B'" in note and "frame of reference" in note for note in structures.notes)
    with pytest.raises(ValueError, match="remove it first"):
        structures.add("b", line((14, 64, 72)))
    structures.add("C", line((14, 64, 72)))
    structures.save(tmp_path / "changed.dcm")
    assert raw_contours(tmp_path / "changed.dcm", 2) == raw_contours(path, 2)
    again = RTStruct.open(tmp_path / "changed.dcm", ct=ct)
    assert list(again.masks) == ["A", "C"]
    assert any("'B'" in note for note in again.notes)


def test_a_structure_set_of_another_ct_is_refused(ct: Path, tmp_path: Path) -> None:
    other = write_ct(tmp_path / "other", seed="other", patient="two")
    path = tmp_path / "rs.dcm"
    rtstruct.write(path, {"A": block((14, 64, 72))}, ct=other)
    with pytest.raises(ReadError) as caught:
        RTStruct.open(path, ct=ct)
    assert caught.value.code is ReadCode.OTHER_CT
    assert "two" not in str(caught.value)


def test_another_patients_name_is_a_note_where_the_images_are_the_cts(
    ct: Path, tmp_path: Path
) -> None:
    path = tmp_path / "rs.dcm"
    rtstruct.write(path, {"A": block((14, 64, 72))}, ct=ct)
    dataset = dcmread(path)
    dataset.PatientID = "ANONYMOUS7"
    dcmwrite(path, dataset)
    notes = RTStruct.open(path, ct=ct).notes
    assert any("another patient" in note for note in notes)
    assert "ANONYMOUS7" not in " ".join(notes)
    dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence = []
    dcmwrite(path, dataset)
    with pytest.raises(ReadError) as caught:
        RTStruct.open(path, ct=ct)
    assert caught.value.code is ReadCode.OTHER_CT


def test_of_several_series_the_one_that_the_file_names_is_taken(tmp_path: Path) -> None:
    study = tmp_path / "study"
    shared = {"StudyInstanceUID": generate_uid(entropy_srcs=["s"]), "FrameOfReferenceUID": "1.2.3"}
    write_ct(study / "one", tags=shared)
    write_ct(study / "two", tags=shared, seed="two", rows=40, columns=40)
    rtstruct.write(tmp_path / "rs.dcm", {"A": block((14, 40, 40))}, ct=study / "two")
    assert RTStruct.open(tmp_path / "rs.dcm", ct=study).grid.shape == (14, 40, 40)
    with pytest.raises(Refusal) as caught:
        RTStruct.new(ct=study)
    assert caught.value.code == "AMBIGUOUS_SERIES"


@pytest.mark.parametrize("offsets_mm", [[0.0], [0.0, 2.0], [0.0, 2.0, 4.0, 6.0, 9.0, 12.0, 15.0]])
def test_short_series_and_uneven_ones_are_taken(tmp_path: Path, offsets_mm: list[float]) -> None:
    ct = write_ct(tmp_path / "ct", offsets_mm=offsets_mm)
    structures = RTStruct.new(ct=ct)
    mask = np.zeros(structures.grid.shape, dtype=bool)
    mask[:, 20:40, 20:40] = True
    structures.add("A", mask)
    structures.save(tmp_path / "rs.dcm")
    np.testing.assert_array_equal(rtstruct.read(tmp_path / "rs.dcm", ct=ct)["A"], mask)


@pytest.mark.parametrize("damage", ["cut", "garbage", "ct", "missing"])
def test_a_damaged_file_is_refused_with_its_reason(ct: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "rs.dcm"
    rtstruct.write(path, {"A": block((14, 64, 72))}, ct=ct)
    data = path.read_bytes()
    codes = {
        "cut": (ReadCode.DAMAGED, data[: len(data) // 2]),
        "garbage": (ReadCode.NOT_DICOM, b"nothing of DICOM" * 40),
        "ct": (ReadCode.NOT_RTSTRUCT, sorted(ct.iterdir())[0].read_bytes()),
        "missing": (ReadCode.NOT_A_FILE, None),
    }
    code, content = codes[damage]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReadError) as caught:
        RTStruct.open(path, ct=ct)
    assert caught.value.code is code


def test_a_folder_that_is_none_and_one_without_ct(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as missing:
        RTStruct.new(ct=tmp_path / "nowhere")
    assert missing.value.code == "NO_INPUT"
    with pytest.raises(Refusal) as without:
        RTStruct.new(ct=tmp_path)
    assert without.value.code == "NO_FILES"


def test_it_needs_no_network(ct: Path) -> None:
    script = (
        "import sys, oarflow.rtstruct as r; light = 'numpy' in sys.modules;"
        f"r.RTStruct.new(ct={str(ct)!r});"
        "import json; print(json.dumps([light, sorted({m.split('.')[0] for m in sys.modules})]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    light, modules = json.loads(told.stdout)
    assert not light
    assert not {"torch", "monai", "holoscan", "SimpleITK", "highdicom"} & set(modules)
