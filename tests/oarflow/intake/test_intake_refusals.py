"""Every reason code of the intake, each from a series with the least damage that earns it."""

import os
import re

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    ParametricMapStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from oarflow.errors import Code, ConfigurationError, Refusal
from oarflow.intake import Lossy, Prefer, SeriesRule, SeriesRules, read_volume
from oarflow.reason_codes import REASONS
from tests.phantoms import head, make_series, write_series


def refused(folder, rules=None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read_volume(folder, rules or SeriesRules())
    assert caught.value.account is not None, "the files are accounted for on refusal too"
    assert caught.value.account["total"] == sum(caught.value.account["classes"].values())
    return caught.value


def codes(refusal: Refusal) -> set[Code]:
    return {finding.code for finding in refusal.findings}


def test_nothing_there(tmp_path):
    assert refused(tmp_path).code == Code.NO_FILES
    (tmp_path / ".hidden").write_text("x")
    assert refused(tmp_path).code == Code.NO_FILES
    assert refused(tmp_path / "missing").code in (Code.NO_FILES, Code.UNREADABLE_FILE)


def test_nothing_dicom(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.bin").write_bytes(os.urandom(5000))
    refusal = refused(tmp_path)
    assert refusal.code == Code.NO_DICOM
    assert refusal.account["classes"] == {"not_dicom": 2}


def test_another_modality(tmp_path):
    write_series(tmp_path, make_series(tags={"Modality": "MR"}))
    assert refused(tmp_path).code == Code.NOT_CT


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "secondary_capture"),
        ({"ImageType": ["DERIVED", "SECONDARY", "DOSE_INFO"]}, "dose_report"),
        ({"ImageType": ["DERIVED", "SECONDARY", "3D"]}, "rendering"),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "MIP"]}, "rendering"),
        ({"ImageType": ["DERIVED", "PRIMARY", "PERFUSION", "RCBF"]}, "parametric_map"),
    ],
)
def test_ct_that_is_no_slice(tmp_path, tags, kind):
    write_series(tmp_path, make_series(tags=tags))
    refusal = refused(tmp_path)
    assert refusal.code == Code.ONLY_LOCALIZER
    assert refusal.account["classes"] == {kind: 16}


def test_a_private_sop_class_is_named(tmp_path):
    private = "1.3.46.670589.5.0.99"
    write_series(tmp_path, make_series(tags={"SOPClassUID": private}))
    refusal = refused(tmp_path)
    assert refusal.code == Code.NOT_CT
    assert refusal.detail == f"16 of the private SOP class {private}"
    assert refusal.account["classes"] == {"ct_of_other_sop_class": 16}


def test_a_standard_sop_class_that_is_no_ct_image_is_named(tmp_path):
    write_series(tmp_path, make_series(tags={"SOPClassUID": ParametricMapStorage}))
    assert refused(tmp_path).detail == "16 Parametric Map Storage"


@pytest.mark.parametrize(
    ("keyword", "kind"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")]
)
@pytest.mark.parametrize("which", [slice(None), slice(15, None)])
def test_float_pixels_are_named(tmp_path, keyword, kind, which):
    series = make_series()
    for dataset in series[which]:
        values = dataset.pixel_array.astype(kind)
        del dataset.PixelData
        setattr(dataset, keyword, values.tobytes())
        dataset.BitsAllocated = 8 * values.itemsize
    write_series(tmp_path, series)
    refusal = refused(tmp_path)
    assert refusal.code == Code.UNREADABLE_PIXELS
    count = len(series[which])
    assert f"{count} slices have Float Pixel Data" in refusal.detail
    assert refusal.account["classes"]["ct_of_float_pixels"] == count


@pytest.mark.parametrize("tags", [{"SOPClassUID": EnhancedCTImageStorage}, {"NumberOfFrames": "2"}])
def test_enhanced_ct(tmp_path, tags):
    write_series(tmp_path, make_series(tags=tags))
    assert refused(tmp_path).code == Code.ENHANCED_CT


@pytest.mark.parametrize("keep", [-1, -2000, 2000, 700])
def test_a_truncated_slice(tmp_path, keep):
    path = write_series(tmp_path, make_series())[15]
    path.write_bytes(path.read_bytes()[:keep])
    assert codes(refused(tmp_path)) & {Code.UNREADABLE_PIXELS, Code.UNREADABLE_FILE}


@pytest.mark.parametrize("missing", [0, 2, 10, 64])
def test_an_end_slice_cut_within_its_series_uid(tmp_path, missing):
    """What is left of the UID must not pass for another series, of which nothing is lost."""
    series = make_series()
    path = write_series(tmp_path, series)[0]
    uid = series[0].SeriesInstanceUID.encode()
    content = path.read_bytes()
    path.write_bytes(content[: content.index(uid) + max(0, len(uid) - missing)])
    assert codes(refused(tmp_path)) & {Code.UNREADABLE_PIXELS, Code.UNREADABLE_FILE}


def test_a_slice_cut_to_nothing(tmp_path):
    path = write_series(tmp_path, make_series())[15]
    path.write_bytes(b"")
    assert refused(tmp_path).code == Code.UNREADABLE_FILE


def test_a_slice_without_permission(tmp_path, monkeypatch):
    path = write_series(tmp_path, make_series())[15]
    real = os.open

    def denied(name, *args, **kwargs):
        if name == path:
            raise PermissionError(13, "denied")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", denied)
    assert refused(tmp_path).code == Code.UNREADABLE_FILE


def test_pixels_missing_or_of_the_wrong_length(tmp_path):
    series = make_series()
    del series[4].PixelData
    series[5].PixelData = series[5].PixelData[:-20]
    write_series(tmp_path, series)
    refusal = refused(tmp_path)
    assert refusal.code == Code.UNREADABLE_PIXELS


def test_a_damaged_compressed_stream(tmp_path):
    series = make_series(transfer_syntax=RLELossless)
    series[7].PixelData = encapsulate([b"\x01\x00\x00\x00" + b"\x40" * 96])
    write_series(tmp_path, series)
    assert refused(tmp_path).code == Code.UNREADABLE_PIXELS


@pytest.mark.parametrize("uid", [MPEG2MPML, "1.2.840.113619.5.2"])
def test_unsupported_transfer_syntax_is_named(tmp_path, uid):
    series = make_series()
    paths = write_series(tmp_path, series)
    for path in paths:
        content = path.read_bytes()
        old = str(ExplicitVRLittleEndian).encode() + b"\0"
        new = str(uid).encode()
        new += b"\0" * (len(new) % 2)
        start = content.index(old)
        length = len(new).to_bytes(2, "little")
        group = int.from_bytes(content[140:144], "little") + len(new) - len(old)
        content = content[:140] + group.to_bytes(4, "little") + content[144:]
        path.write_bytes(content[: start - 2] + length + new + content[start + len(old) :])
    refusal = refused(tmp_path)
    assert refusal.code == Code.UNSUPPORTED_TRANSFER_SYNTAX
    assert str(uid) in refusal.detail


def two_series(folder, **second):
    first = make_series(tags={"SeriesNumber": "3", "SeriesDescription": "Head soft"})
    other = make_series(
        seed="second", **{"tags": {"SeriesNumber": "4", "SeriesDescription": "BONE"}, **second}
    )
    for dataset in other:
        dataset.StudyInstanceUID = first[0].StudyInstanceUID
    write_series(folder / "a", first)
    write_series(folder / "b", other)
    return first, other


def test_two_series_and_no_rule(tmp_path):
    two_series(tmp_path, slices=20)
    refusal = refused(tmp_path)
    assert refusal.code == Code.AMBIGUOUS_SERIES
    assert re.search("series 4, 20 slices .*; series 3, 16 slices ", refusal.detail)
    assert "BONE" not in refusal.detail


def test_rules_choose(tmp_path):
    first, other = two_series(tmp_path, slices=20, step_mm=2.0)

    def chosen(*rules):
        return read_volume(tmp_path, SeriesRules(select=rules)).volume.source.series_uid

    assert chosen(SeriesRule(description="^head")) == first[0].SeriesInstanceUID
    assert chosen(SeriesRule(min_slices=18)) == other[0].SeriesInstanceUID
    assert chosen(SeriesRule(max_slices=18)) == first[0].SeriesInstanceUID
    assert chosen(SeriesRule(prefer=Prefer.MOST_SLICES)) == other[0].SeriesInstanceUID
    assert chosen(SeriesRule(prefer=Prefer.THINNEST_SLICES)) == other[0].SeriesInstanceUID
    both = (SeriesRule(description="lung"), SeriesRule(description="bone", image_type=("axial",)))
    assert chosen(*both) == other[0].SeriesInstanceUID
    assert refused(tmp_path, SeriesRules(select=(SeriesRule(),))).code == Code.AMBIGUOUS_SERIES
    none = SeriesRules(select=(SeriesRule(image_type=("LOCALIZER",)),))
    assert refused(tmp_path, none).code == Code.NO_MATCHING_SERIES


def test_rules_from_settings():
    rules = SeriesRules.from_settings(
        {
            "select": [{"description": "plan", "image_type": "AXIAL", "prefer": "most_slices"}],
            "min_slices": 20,
            "lossy": "refuse",
        }
    )
    expected = SeriesRule(description="plan", image_type=("AXIAL",), prefer=Prefer.MOST_SLICES)
    assert rules == SeriesRules(select=(expected,), min_slices=20, lossy=Lossy.REFUSE)


@pytest.mark.parametrize(
    "settings",
    [
        {"selct": []},
        {"select": "CT"},
        {"select": [{"description": "("}]},
        {"select": [{"description": "a" * 201}]},
        {"select": [{"description": "(a+)+$"}]},
        {"select": [{"prefer": "best"}]},
        {"select": [{"modality": 3}]},
        {"lossy": "perhaps"},
        {"min_slices": "many"},
    ],
    ids=str,
)
def test_wrong_settings_are_named(settings):
    with pytest.raises(ConfigurationError):
        SeriesRules.from_settings(settings)


def test_two_studies(tmp_path):
    write_series(tmp_path / "a", make_series())
    write_series(tmp_path / "b", make_series(seed="second"))
    assert Code.MIXED_STUDIES in codes(refused(tmp_path))


@pytest.mark.parametrize("tag", ["PatientID", "PatientName", "PatientBirthDate"])
def test_two_patients_in_one_series(tmp_path, tag):
    write_series(tmp_path, make_series(slice_tags={8: {tag: "19700101"}}))
    refusal = refused(tmp_path)
    assert refusal.code == Code.MIXED_PATIENTS
    assert "19700101" not in str(refusal)


def test_a_localizer_of_another_patient(tmp_path):
    write_series(tmp_path / "a", make_series())
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    write_series(tmp_path / "b", make_series(slices=1, patient="two", tags=scout))
    assert refused(tmp_path).code == Code.MIXED_PATIENTS


CHANGED_IN_ONE_SLICE = [
    ({"StudyInstanceUID": "1.2.3"}, Code.MIXED_STUDIES),
    ({"FrameOfReferenceUID": "1.2.3"}, Code.MIXED_FRAME_OF_REFERENCE),
    ({"ImageOrientationPatient": ["0.9998477", "0.0174524", "0", "-0.0174524", "0.9998477", "0"]},
     Code.MIXED_ORIENTATION),
    ({"PixelSpacing": ["4", "4.01"]}, Code.MIXED_SPACING),
    ({"ImagePositionPatient": None}, Code.MISSING_POSITION),
    ({"ImagePositionPatient": ["1", "2"]}, Code.MISSING_POSITION),
    ({"ImagePositionPatient": ["1e300", "2", "3"]}, Code.MISSING_POSITION),
    ({"ImageOrientationPatient": None}, Code.MISSING_ORIENTATION),
    ({"ImageOrientationPatient": ["1", "0", "0", "1", "0", "0"]}, Code.MISSING_ORIENTATION),
    ({"ImageOrientationPatient": ["2", "0", "0", "0", "1", "0"]}, Code.MISSING_ORIENTATION),
    ({"PixelSpacing": None}, Code.MISSING_SPACING),
    ({"PixelSpacing": ["0", "0"]}, Code.MISSING_SPACING),
    ({"PixelSpacing": ["-4", "4"]}, Code.MISSING_SPACING),
    ({"RescaleSlope": None}, Code.MISSING_RESCALE),
    ({"RescaleIntercept": None}, Code.MISSING_RESCALE),
    ({"RescaleSlope": "0"}, Code.MISSING_RESCALE),
    ({"RescaleSlope": "-1"}, Code.MISSING_RESCALE),
    ({"FrameOfReferenceUID": None}, Code.MISSING_FRAME_OF_REFERENCE),
    ({"SOPInstanceUID": "1.2.03"}, Code.INVALID_IDENTITY),
    ({"PatientPosition": "FFP"}, Code.POSITION_CONTRADICTS_ORIENTATION),
    ({"PhotometricInterpretation": "MONOCHROME1"}, Code.IMPLAUSIBLE_HU),
    ({"RescaleType": "MGML"}, Code.IMPLAUSIBLE_HU),
    ({"BitsStored": 8, "HighBit": 7}, Code.IMPLAUSIBLE_HU),
    ({"HighBit": 15}, Code.UNREADABLE_PIXELS),
    ({"Rows": 0}, Code.UNREADABLE_PIXELS),
    ({"Rows": 65535, "Columns": 65535}, Code.TOO_LARGE),
]  # fmt: skip


@pytest.mark.parametrize(("tags", "code"), CHANGED_IN_ONE_SLICE, ids=str)
def test_one_damaged_slice_is_enough(tmp_path, tags, code):
    write_series(tmp_path, make_series(slice_tags={6: tags}))
    assert code in codes(refused(tmp_path))


@pytest.mark.parametrize("text", [b"nan", b"inf ", b"1_0 ", b"x   "])
def test_positions_that_are_no_numbers(tmp_path, text):
    path = write_series(tmp_path, make_series())[6]
    dataset = pydicom.dcmread(path)
    written = dataset.get_item("ImagePositionPatient").value
    parts = written.split(b"\\")
    wrong = b"\\".join([text.ljust(len(parts[0])), *parts[1:]])
    path.write_bytes(path.read_bytes().replace(written, wrong))
    assert Code.MISSING_POSITION in codes(refused(tmp_path))


def test_one_slice_of_another_matrix(tmp_path):
    series = make_series()
    series[5] = make_series(rows=50)[5]
    write_series(tmp_path, series)
    assert Code.MIXED_MATRIX in codes(refused(tmp_path))


def test_two_images_at_one_position(tmp_path):
    series = make_series()
    other = make_series(anatomy=lambda x, y, z: head(x + 5, y, z))[6]
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    write_series(tmp_path, [*series, other])
    assert refused(tmp_path).code == Code.DUPLICATE_CONFLICT


def test_one_uid_at_two_positions(tmp_path):
    series = make_series()
    series[7].SOPInstanceUID = series[6].SOPInstanceUID
    write_series(tmp_path, series)
    assert refused(tmp_path).code == Code.DUPLICATE_CONFLICT


@pytest.mark.parametrize("lost", [[1], [7], [14], [5, 10], [7, 8]], ids=str)
def test_a_lost_slice(tmp_path, lost):
    series = [dataset for k, dataset in enumerate(make_series()) if k not in lost]
    write_series(tmp_path, series)
    assert refused(tmp_path).code == Code.MISSING_SLICE


def test_slices_lost_at_an_end_are_seen_where_a_number_is_expected(tmp_path):
    write_series(tmp_path, make_series()[:14])
    assert refused(tmp_path, SeriesRules(expected_slices=16)).code == Code.MISSING_SLICE
    assert read_volume(tmp_path).volume.hu.shape[0] == 14


def test_a_slice_off_its_place(tmp_path):
    offsets = [3.0 * k + (0.8 if k == 7 else 0) for k in range(16)]
    write_series(tmp_path, make_series(offsets_mm=offsets))
    assert refused(tmp_path).code == Code.DISPLACED_SLICE


def test_a_uid_that_its_file_meta_group_denies(tmp_path):
    paths = write_series(tmp_path, make_series())
    one = pydicom.dcmread(paths[3])
    one.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    one.save_as(paths[3])
    assert refused(tmp_path).code == Code.INVALID_IDENTITY


def test_a_sheared_stack(tmp_path):
    series = make_series()
    for k, dataset in enumerate(series):
        position = [float(value) for value in dataset.ImagePositionPatient]
        position[1] += 0.2 * k
        dataset.ImagePositionPatient = position
    write_series(tmp_path, series)
    assert refused(tmp_path).code == Code.GANTRY_TILT


@pytest.mark.parametrize("sign", [1, -1])
def test_a_gantry_tilt_whatever_sign_its_maker_writes(tmp_path, sign):
    tilted = (1, 0, 0, 0, np.cos(np.radians(18.5)), -np.sin(np.radians(18.5)))
    tags = {"GantryDetectorTilt": str(sign * 18.5)}
    write_series(tmp_path, make_series(orientation=tilted, tags=tags))
    assert codes(refused(tmp_path)) == {Code.GANTRY_TILT, Code.OBLIQUE}


@pytest.mark.parametrize("degrees", [2.0, 20.0])
def test_an_oblique_series(tmp_path, degrees):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    write_series(tmp_path, make_series(orientation=(cosine, sine, 0, -sine, cosine, 0)))
    assert codes(refused(tmp_path)) == {Code.OBLIQUE}


def test_a_sagittal_series(tmp_path):
    write_series(tmp_path, make_series(orientation=(0, 1, 0, 0, 0, -1)))
    assert refused(tmp_path).code == Code.OBLIQUE


@pytest.mark.parametrize(
    ("position", "orientation"),
    [
        ("HFP", (1, 0, 0, 0, 1, 0)),
        ("HFS", (-1, 0, 0, 0, -1, 0)),
        ("HFS", (0, 1, 0, -1, 0, 0)),
        ("HFDR", (1, 0, 0, 0, 1, 0)),
        ("FFDL", (0, 1, 0, -1, 0, 0)),
    ],
)
def test_patient_position_against_the_orientation(tmp_path, position, orientation):
    write_series(tmp_path, make_series(patient_position=position, orientation=orientation))
    assert refused(tmp_path).code == Code.POSITION_CONTRADICTS_ORIENTATION


def test_lossy_compression_where_the_settings_refuse_it(tmp_path):
    write_series(tmp_path, make_series(tags={"LossyImageCompression": "01"}))
    assert refused(tmp_path, SeriesRules(lossy=Lossy.REFUSE)).code == Code.LOSSY_COMPRESSION


@pytest.mark.parametrize("identifier", ["x" * 65, "a\\b", "a\tb"])
def test_a_patient_id_that_breaks_its_vr(tmp_path, identifier):
    series = make_series()
    for dataset in series:
        dataset.add(pydicom.DataElement(0x00100020, "LO", "ok", validation_mode=0))
        dataset["PatientID"]._value = identifier
    write_series(tmp_path, series)
    refusal = refused(tmp_path)
    assert refusal.code == Code.INVALID_IDENTITY
    assert identifier not in str(refusal)


@pytest.mark.parametrize("charset", ["latin-1", "ISO_IR 100 AND MORE", "ISO_IR 100\\utf8"])
def test_a_name_that_is_not_ascii_under_an_unknown_character_set(tmp_path, charset):
    series = make_series(tags={"PatientName": "M\xfcller"})
    for dataset in series:
        dataset["SpecificCharacterSet"] = pydicom.DataElement(
            0x00080005, "CS", charset, validation_mode=0
        )
    write_series(tmp_path, series)
    assert refused(tmp_path).code == Code.INVALID_IDENTITY


def test_a_missing_study_uid(tmp_path):
    write_series(tmp_path, make_series(tags={"StudyInstanceUID": None}))
    assert refused(tmp_path).code == Code.INVALID_IDENTITY


def test_too_few_slices(tmp_path):
    write_series(tmp_path, make_series(slices=9))
    assert refused(tmp_path).code == Code.TOO_FEW_SLICES
    assert read_volume(tmp_path, SeriesRules(min_slices=9)).volume.hu.shape[0] == 9


def constant(value):
    return lambda x, y, z: np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), value)


def circle_padding(x, y, z):
    return np.where(x**2 + y**2 > 92**2, -3024.0, head(x, y, z))


IMPLAUSIBLE = {
    "rescale lost": {"tags": {"RescaleIntercept": "0"}},
    "rescale lost beside padding": {
        "anatomy": circle_padding,
        "signed": True,
        "tags": {"RescaleIntercept": "0", "PixelPaddingValue": -2000},
    },
    "rescale applied twice": {"tags": {"RescaleIntercept": "-2048"}},
    "rescale lost in one slice": {"slice_tags": {6: {"RescaleIntercept": "0"}}},
    "rescale twice in one slice": {"slice_tags": {6: {"RescaleIntercept": "-2048"}}},
    "windowed to 8 bits": {
        "anatomy": lambda x, y, z: np.clip((head(x, y, z) + 160) / 400 * 255, 0, 255),
        "intercept": 0.0,
    },
    "windowed to 8 bits, rescale kept": {
        "anatomy": lambda x, y, z: np.clip((head(x, y, z) + 160) / 400 * 255, 0, 255) - 1024,
    },
    "inverted": {"anatomy": lambda x, y, z: 3071 - (head(x, y, z) + 1024)},
    "one value": {"anatomy": constant(0.0)},
    "air only": {"anatomy": constant(-1000.0)},
    "a blank slice inside": {
        "anatomy": lambda x, y, z: np.where(np.abs(z - 1.5) < 1, -1024.0, head(x, y, z))
    },
    "a grey slice at the end": {"anatomy": lambda x, y, z: np.where(z > 21, 0.0, head(x, y, z))},
}


@pytest.mark.parametrize("name", IMPLAUSIBLE)
def test_values_that_are_no_hounsfield_units(tmp_path, name):
    write_series(tmp_path, make_series(**IMPLAUSIBLE[name]))
    refusal = refused(tmp_path)
    assert refusal.code == Code.IMPLAUSIBLE_HU
    assert codes(refusal) <= {Code.IMPLAUSIBLE_HU, Code.DISCONTINUOUS_SLICES}


def test_several_reasons_are_told_the_first_of_the_table_first(tmp_path):
    tags = {"PixelSpacing": None, "FrameOfReferenceUID": None, "PatientID": "another"}
    write_series(tmp_path, make_series(slices=12, slice_tags={3: tags}))
    refusal = refused(tmp_path)
    assert [finding.code for finding in refusal.findings] == [
        Code.MIXED_PATIENTS,
        Code.MISSING_SPACING,
        Code.MISSING_FRAME_OF_REFERENCE,
    ]
    assert refusal.also == refusal.findings[1:]


def test_every_code_has_its_row_in_the_table():
    assert set(Code) <= REASONS.keys()
