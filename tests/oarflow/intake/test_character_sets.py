"""Texts in every character set of the standard: from the CT's files to what is written, as bytes.

The walk over the bytes is held against Python's codecs.
"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from oarflow.errors import Code, Refusal
from oarflow.intake import Intake, SeriesRules, read_volume
from oarflow.intake.character_sets import characters, known
from oarflow.intake.elements import raw
from oarflow.node.delivery.refusal import RefusedStudy, encapsulate
from oarflow.node.storage.dataset import inspect
from oarflow.node.storage.spool import split
from oarflow.report.encapsulated import write_encapsulated
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.specs import RoiSpec
from oarflow.structures import ProbabilityField, Segmentation, Status
from oarflow.writing.proven import WritePlan, write_proved
from oarflow.writing.seg import write_seg
from tests.oarflow.intake.names import NAMES
from tests.phantoms import make_series, write_series

SERIES = make_series(slices=10, rows=32, columns=32, spacing_yx=(6.0, 6.0))
RULES = SeriesRules(min_slices=10)
ORGAN = Segmentation(
    "Brainstem",
    Status.SEGMENTED,
    ProbabilityField(np.ones((4, 6, 6), dtype=np.float32), (3, 10, 10)),
)
SPECS = {"Brainstem": RoiSpec("Brainstem", "Brainstem", (255, 0, 0))}
PROVENANCE = Provenance("0" * 64, "cpu")
WHEN = datetime(2026, 1, 2, tzinfo=UTC)

COPIED = ("PatientName", "PatientID", "IssuerOfPatientID", "ReferringPhysicianName")


def put(keyword: str, value: bytes, only: frozenset[int] = frozenset(range(10))) -> None:
    """Put bytes into an element of the series as they are, padded."""
    tag, vr = Tag(keyword), dictionary_VR(keyword)
    value += b" " * (len(value) % 2)
    for k in only:
        SERIES[k][tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)


@pytest.fixture(autouse=True)
def as_before():
    """The series keeps nothing of the last test."""
    before = [
        {key: one.get_item(key) for key in ("SpecificCharacterSet", *COPIED) if key in one}
        for one in SERIES
    ]
    yield
    for one, kept in zip(SERIES, before, strict=True):
        for keyword in ("SpecificCharacterSet", *COPIED):
            if keyword in one:
                del one[keyword]
            if keyword in kept:
                one[keyword] = kept[keyword]


def taken_in(folder: Path) -> Intake:
    for one in SERIES:
        declared = raw(one, "SpecificCharacterSet") or b""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names that nobody knows
            encodings = convert_encodings(declared.decode("latin_1").rstrip(" ").split("\\"))
            one.set_original_encoding(False, True, encodings)  # else pydicom encodes texts anew
    write_series(folder, SERIES)
    return read_volume(folder, RULES)


def refused(folder: Path) -> Refusal:
    with pytest.raises(Refusal) as caught:
        taken_in(folder)
    return caught.value


def rtstruct(folder: Path, intake: Intake) -> Path:
    """The RTSTRUCT, once the self-check has passed it."""
    plan = WritePlan(folder, SPECS, PROVENANCE, WHEN)
    written = write_proved(intake.volume, intake.paths, [ORGAN], plan)
    return written.files[0].path


def value(path: Path, keyword: str) -> bytes:
    """The bytes of an element, without padding."""
    return (raw(pydicom.dcmread(path, force=True), keyword) or b"").rstrip(b" ")


@pytest.mark.parametrize("declared", NAMES)
def test_texts_come_from_the_ct_to_the_rtstruct_byte_for_byte(
    tmp_path: Path, declared: str
) -> None:
    assert len(set(NAMES[declared])) == 20
    for number, name in enumerate(NAMES[declared]):
        folder = tmp_path / str(number)
        put("SpecificCharacterSet", declared.encode())
        for keyword in COPIED:
            put(keyword, name)
        intake = taken_in(folder / "ct")
        assert intake.notes == ()
        path = rtstruct(folder, intake)
        for keyword in COPIED:
            assert value(path, keyword) == name
        assert value(path, "SpecificCharacterSet") == declared.encode()


@pytest.mark.parametrize("declared", ["\\ISO 2022 IR 87", "GBK", "ISO 2022 IR 13\\ISO 2022 IR 87"])
def test_the_other_objects_have_the_same_bytes(tmp_path: Path, declared: str) -> None:
    name = next(one for one in NAMES[declared] if b"\\" in one)
    put("SpecificCharacterSet", declared.encode())
    for keyword in COPIED:
        put(keyword, name)
    intake = taken_in(tmp_path / "ct")
    source, grid = intake.volume.source, intake.volume.grid
    seg, pdf, reason = (tmp_path / file for file in ("seg.dcm", "pdf.dcm", "reason.dcm"))
    write_seg(seg, [ORGAN], source, grid, SPECS, provenance=PROVENANCE, when=WHEN)
    write_encapsulated(pdf, b"%PDF", source, derived_from=(), provenance=PROVENANCE, when=WHEN)
    image = next(iter(intake.paths.values()))
    encapsulate(RefusedStudy("key", 0, "MISSING_SLICE", "a gap", image), b"%PDF", reason)
    for path in (seg, pdf, reason):
        for keyword in COPIED:
            assert value(path, keyword) == name
        assert value(path, "SpecificCharacterSet") == declared.encode()


CODECS = {
    "ISO_IR 100": "latin_1",
    "ISO_IR 13": "shift_jis",
    "\\ISO 2022 IR 87": "iso2022_jp",
    "\\ISO 2022 IR 87\\ISO 2022 IR 159": "iso2022_jp_1",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "ISO_IR 192": "utf_8",
}


@pytest.mark.parametrize("declared", CODECS)
def test_as_many_characters_as_python_counts(declared: str) -> None:
    for name in NAMES[declared]:
        text = name.decode(CODECS[declared])
        found = list(characters(name, declared.encode()))
        assert len(found) == len(text)
        assert [one == b"=" for one in found] == [one == "=" for one in text]
        assert b"\\" not in found


@pytest.mark.parametrize("keyword", ["PatientName", "PatientID"])
@pytest.mark.parametrize(
    ("declared", "text", "fault"),
    [
        (b"ISO_IR 100", b"Smith\r^John", "a control character"),
        (b"ISO_IR 100", b"Smith^John\r\n", "a control character"),
        (b"ISO_IR 100", b"Smith\n", "a control character"),
        (b"ISO_IR 100", b"Smith\x1b", "a control character"),
        (b"ISO_IR 100", b"Smith\0^John", "a control character"),
        (b"ISO_IR 100", b"M\xfcller\\J\xf6rg", "a backslash, which separates values"),
        (b"", b"Smith\\John", "a backslash, which separates values"),
        (b"\\ISO 2022 IR 87", b"\x1b$B;3K\\\x1b(B\\x", "a backslash, which separates values"),
        (b"GBK", b"\x81\\\\x", "a backslash, which separates values"),
        (b"ISO_IR 100", b"x" * 65, "65 characters (at most 64)"),
        (b"ISO_IR 192", "山".encode() * 65, "65 characters (at most 64)"),
        (b"ISO-IR 100", b"M\xfcller", "other than ASCII under an unknown Specific Character Set"),
        (b"ISO_IR 999", b"\x1b$B;3\x1b(B", "other than ASCII under an unknown"),
    ],
)
def test_what_is_not_valid_is_refused_and_said(
    tmp_path: Path, keyword: str, declared: bytes, text: bytes, fault: str
) -> None:
    put("SpecificCharacterSet", declared)
    put(keyword, text)
    refusal = refused(tmp_path)
    assert refusal.code == Code.INVALID_IDENTITY
    name = {"PatientName": "Patient Name", "PatientID": "Patient ID"}[keyword]
    assert f"{name} holds {fault}" in str(refusal.findings[0].detail)
    assert "Smith" not in str(refusal)


def test_a_name_of_four_component_groups_is_refused(tmp_path: Path) -> None:
    put("PatientName", b"a=b=c=d")
    assert "4 component groups (at most 3)" in refused(tmp_path).findings[0].detail


@pytest.mark.parametrize("length", [64, 65])
def test_sixty_four_characters_of_any_number_of_bytes(tmp_path: Path, length: int) -> None:
    put("SpecificCharacterSet", b"\\ISO 2022 IR 87")
    name = "=".join(["山" * length] * 3).encode("iso2022_jp")
    put("PatientName", name)
    if length == 65:
        assert refused(tmp_path).code == Code.INVALID_IDENTITY
    else:
        assert value(rtstruct(tmp_path, taken_in(tmp_path / "ct")), "PatientName") == name


@pytest.mark.parametrize("declared", [b"ISO-IR 100", b"latin-1", b"ISO_IR 100 AND MORE", b"\\x"])
def test_plain_ascii_under_an_unknown_character_set_is_taken_with_a_remark(
    tmp_path: Path, declared: bytes
) -> None:
    put("SpecificCharacterSet", declared)
    put("ReferringPhysicianName", b"M\xfcller")
    assert not known(declared)
    intake = taken_in(tmp_path / "ct")
    assert intake.notes == (
        "SpecificCharacterSet: unknown, only ASCII texts were copied",
        "ReferringPhysicianName: not valid, left empty",
    )
    path = rtstruct(tmp_path, intake)
    assert value(path, "PatientName") == b"Phantom^one"
    assert value(path, "ReferringPhysicianName") == b""
    assert value(path, "SpecificCharacterSet") == declared


@pytest.mark.parametrize("declared", [b"ISO_IR\n100", b"ISO_IR 10\xe9"])
def test_a_character_set_of_other_than_printable_ascii_is_refused(
    tmp_path: Path, declared: bytes
) -> None:
    put("SpecificCharacterSet", declared)
    assert refused(tmp_path).code == Code.INVALID_IDENTITY


@pytest.mark.parametrize("name", [b"Phantom^one", b"M\xfcller^J\xf6rg"])
def test_slices_that_declare_different_character_sets(tmp_path: Path, name: bytes) -> None:
    put("PatientName", name)
    put("SpecificCharacterSet", b"", only=frozenset({2, 3}))
    if not name.isascii():
        refusal = refused(tmp_path)
        assert refusal.code == Code.INVALID_IDENTITY
        assert "the slices declare 2 character sets" in refusal.findings[0].detail
        return
    path = rtstruct(tmp_path, taken_in(tmp_path / "ct"))
    assert value(path, "SpecificCharacterSet") == b"ISO_IR 100"
    assert value(path, "PatientName") == name


def test_empty_components_in_some_slices_are_no_fault_of_ours(tmp_path: Path) -> None:
    put("PatientName", b"Phantom^one^^^==", only=frozenset({4}))
    path = rtstruct(tmp_path, taken_in(tmp_path / "ct"))
    assert value(path, "PatientName") == b"Phantom^one"


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        (b"ISO_IR 192", b"M\xfcller"),
        (b"ISO_IR 13", b"\x8e\x52\x96\x7b"),
        (b"ISO_IR 100", b"\x1b$B;3K\\\x1b(B"),
        (b"\\ISO 2022 IR 87", b"\x1b$B;3K\\"),
        (b"", b"M\xfcller"),
    ],
)
def test_bytes_that_are_no_text_of_their_character_set_are_passed_on(
    tmp_path: Path, declared: bytes, text: bytes
) -> None:
    put("SpecificCharacterSet", declared)
    put("PatientName", text)
    assert value(rtstruct(tmp_path, taken_in(tmp_path / "ct")), "PatientName") == text


@pytest.mark.parametrize(
    "keyword", ["StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"]
)
@pytest.mark.parametrize("form", [b"%b\n\r", b" %b", b"%b\t"])
def test_a_uid_with_a_line_end_or_a_leading_space_is_refused(
    tmp_path: Path, keyword: str, form: bytes
) -> None:
    before = [one.get_item(keyword) for one in SERIES]
    try:
        for k, one in enumerate(SERIES):
            put(keyword, form % str(one[keyword].value).encode(), only=frozenset({k}))
        assert Code.INVALID_IDENTITY in {one.code for one in refused(tmp_path).findings}
    finally:
        for one, element in zip(SERIES, before, strict=True):
            one[keyword] = element


@pytest.mark.parametrize("declared", ["\\ISO 2022 IR 87", "\\ISO 2022 IR 58", "GBK"])
def test_the_node_shows_names_without_escape_sequences(tmp_path: Path, declared: str) -> None:
    codec = {"GBK": "gbk", "\\ISO 2022 IR 58": "gb2312"}.get(declared, "iso2022_jp")
    name = NAMES[declared][0]
    put("SpecificCharacterSet", declared.encode())
    put("PatientName", name)
    _, syntax, data = split(next(iter(taken_in(tmp_path).paths.values())))
    shown = inspect(data, syntax, 2**20).texts().study["patient_name"]
    assert shown == name.replace(b"\x1b$)A", b"").decode(codec)
