"""What is copied from the CT: its own bytes, or nothing."""

from io import BytesIO

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from oarflow.errors import Code, Refusal
from oarflow.intake import read_volume
from tests.phantoms import make_series, write_series


def with_raw(series, keyword, value: bytes, only=None):
    """Put bytes into an element as they are."""
    tag = Tag(keyword)
    vr = pydicom.datadict.dictionary_VR(tag)
    for k, dataset in enumerate(series):
        if only is None or k in only:
            dataset[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    return series


def identity(folder, series):
    write_series(folder, series)
    intake = read_volume(folder)
    return intake.volume.source.identity, intake.notes


def raw(dataset, keyword) -> bytes:
    return dataset.get_item(keyword).value


def test_values_come_as_they_are(tmp_path):
    found, notes = identity(tmp_path, make_series(tags={"IssuerOfPatientID": "Clinic"}))
    assert raw(found, "PatientName") == b"Phantom^one "
    assert found.PatientID == "ID one"
    assert found.IssuerOfPatientID == "Clinic"
    assert found.PatientBirthDate == "19600304"
    assert found.ReferringPhysicianName == ""
    assert "PatientAge" not in found
    assert "Manufacturer" not in found
    assert notes == ()


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (b"ISO_IR 100", b"M\xfcller^J\xf6rg "),
        (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
        (b"ISO_IR 192", "Ivanović^Ђорђе".encode()),
        (b"ISO_IR 100", b"\xff\xfe\x80^x"),
    ],
)
def test_text_keeps_its_bytes_and_its_character_set(tmp_path, charset, name):
    name += b" " * (len(name) % 2)
    charset += b" " * (len(charset) % 2)
    series = with_raw(make_series(), "SpecificCharacterSet", charset)
    found, _ = identity(tmp_path, with_raw(series, "PatientName", name))
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, found, implicit_vr=False, little_endian=True)
    assert name in buffer.getvalue()
    assert charset in buffer.getvalue()


def test_the_name_can_be_read_in_its_character_set(tmp_path):
    series = with_raw(make_series(), "PatientName", b"M\xfcller^J\xf6rg ")
    found, _ = identity(tmp_path, series)
    assert str(found.PatientName) == "Müller^Jörg"


def test_missing_values_are_empty_and_nothing_is_invented(tmp_path):
    tags = dict.fromkeys(
        ["PatientName", "PatientID", "StudyDate", "AccessionNumber", "PatientSex", "StudyID"]
    )
    found, _ = identity(tmp_path, make_series(tags=tags))
    for keyword in tags:
        assert raw(found, keyword) == b""
    assert "IssuerOfPatientID" not in found


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientBirthDate", b"3f2a9c8b"),
        ("PatientBirthDate", b"20200231"),
        ("StudyDate", b"2020-01-02"),
        ("StudyTime", b"25:00 "),
        ("PatientSex", b"MALE"),
        ("StudyID", b"x" * 18),
        ("AccessionNumber", b"a\x07"),
        ("ReferringPhysicianName", b"x" * 66),
    ],
)
def test_values_that_break_their_vr_are_left_empty(tmp_path, keyword, value):
    found, notes = identity(tmp_path, with_raw(make_series(), keyword, value))
    assert raw(found, keyword) == b""
    assert notes == (f"{keyword}: not valid, left empty",)


def test_slices_that_disagree_on_a_description(tmp_path):
    series = with_raw(make_series(), "StudyTime", b"090000", only={1, 2, 3})
    found, notes = identity(tmp_path, series)
    assert found.StudyTime == "101112"
    assert notes == ("StudyTime: the slices disagree, the most common value was copied",)


def test_padding_and_empty_name_components_are_no_disagreement(tmp_path):
    series = with_raw(make_series(), "PatientName", b"Phantom^one^^^", only={4})
    assert identity(tmp_path, series)[0].PatientName == "Phantom^one"


@pytest.mark.parametrize(
    ("tags", "age"),
    [
        ({"PatientAge": b"006M"}, 0.5),
        ({"PatientAge": b"061Y"}, 61.0),
        ({"PatientAge": b"old "}, 59.83),
        ({"PatientBirthDate": b""}, None),
        ({"PatientBirthDate": b"20300101"}, None),
        ({"PatientAge": b"000Y", "PatientBirthDate": b""}, None),
        ({"PatientAge": b"000Y", "PatientBirthDate": b"NOT A DA"}, None),
        ({"PatientAge": b"000D", "PatientBirthDate": b"20300101"}, None),
        ({"PatientAge": b"000Y", "PatientBirthDate": b"19600304"}, 59.83),
        ({"PatientAge": b"000Y", "PatientBirthDate": b"20190901"}, 0.0),
        ({"PatientBirthDate": b"20200102"}, None),
        ({"PatientAge": b"061Y", "PatientBirthDate": b"20200102"}, 61.0),
        ({"PatientAge": b"008Y", "PatientBirthDate": b""}, 8.0),
    ],
)
def test_age(tmp_path, tags, age):
    series = make_series()
    for keyword, value in tags.items():
        with_raw(series, keyword, value)
    write_series(tmp_path, series)
    found = read_volume(tmp_path).volume.source.patient_age_years
    assert found == (None if age is None else pytest.approx(age, abs=0.01))


def test_no_patient_data_in_a_refusal(tmp_path):
    series = make_series(slice_tags={3: {"PatientID": "SECRET1", "PixelSpacing": None}})
    write_series(tmp_path, series)
    with pytest.raises(Refusal) as caught:
        read_volume(tmp_path)
    told = str(caught.value) + repr(caught.value.findings) + repr(caught.value.account)
    assert caught.value.code == Code.MIXED_PATIENTS
    for secret in ("SECRET1", "Phantom", "ID one", "19600304"):
        assert secret not in told


@pytest.mark.parametrize("charset", [b"ISO_IR 100", b"ISO_IR 999", b"NONSENSE\\\\ "])
@pytest.mark.parametrize("name", [b"Secret^Name", b"S\xe9cret^Name" + b"x" * 65])
def test_no_patient_data_in_logs_or_warnings(tmp_path, caplog, recwarn, charset, name):
    series = make_series()
    secrets = {
        "PatientName": name,
        "PatientID": b"SecretID",
        "PatientBirthDate": b"Secret00",
        "PatientSex": b"Secret",
        "ReferringPhysicianName": b"Secret^Doctor\xff",
    }
    for keyword, value in secrets.items():
        with_raw(series, keyword, value + b" " * (len(value) % 2))
    write_series(tmp_path, with_raw(series, "SpecificCharacterSet", charset))
    caplog.clear()
    recwarn.clear()
    with caplog.at_level(0):
        try:
            said = " ".join(read_volume(tmp_path).notes)
        except Refusal as refusal:
            said = f"{refusal} {refusal.findings!r}"
    told = caplog.text + " ".join(str(w.message) for w in recwarn) + said
    assert "ecret" not in told
    assert ("INVALID_IDENTITY" in said) == (not name.isascii())
