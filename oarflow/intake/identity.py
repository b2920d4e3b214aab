"""Patient and study: the elements that an RTSTRUCT copies, and checks that the slices agree."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date

from pydicom import Dataset
from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from oarflow.errors import Code, Finding
from oarflow.intake.character_sets import characters, decoded, is_ascii, known, terms
from oarflow.intake.elements import plain, tag_of
from oarflow.intake.headers import InstanceHeader
from oarflow.intake.limits import MAX_TEXT
from oarflow.volume import IDENTITY_KEYWORDS

_PERSON = ("PatientID", "PatientName", "PatientBirthDate")
_OPTIONAL = frozenset({"SpecificCharacterSet", "IssuerOfPatientID"})
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?")
_AGE = re.compile(r"(\d{3})([DWMY])")
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_NAMES = frozenset({"PatientName", "ReferringPhysicianName"})
_MAX_GROUPS = 3
_LIMITS = {"PN": MAX_TEXT, "LO": MAX_TEXT, "SH": 16}
_TEXTS = {
    keyword: _LIMITS[vr]
    for keyword in IDENTITY_KEYWORDS
    if (vr := dictionary_VR(tag_of(keyword))) in _LIMITS
}
"""Copied texts with their maximum length in characters; for a name: of each component group."""

_NEVER_EMPTY = {"PatientName": "Patient Name", "PatientID": "Patient ID"}
"""Elements that must be valid: they are copied unchanged, or the series is refused."""


def mixed_persons(headers: Sequence[InstanceHeader]) -> tuple[Finding, ...]:
    """MIXED_PATIENTS where headers name different patients."""
    return tuple(
        Finding(Code.MIXED_PATIENTS, f"{count} different values of {keyword}")
        for keyword in _PERSON
        if (count := len(set(_comparable(headers, keyword)))) > 1
    )


def another_person(one: InstanceHeader, other: InstanceHeader) -> bool:
    """Whether two objects name different patients; missing elements do not count."""
    values = (_comparable((one, other), keyword) for keyword in _PERSON)
    return any(first and second and first != second for first, second in values)


def _comparable(headers: Sequence[InstanceHeader], keyword: str) -> list[str | bytes]:
    """The headers' values without padding and without empty name components at the end.

    Values are text if the headers declare different character sets.
    """
    found: list[str | bytes] = []
    several = len({_declared(header) for header in headers}) > 1
    for header in headers:
        value = header.identity.get(keyword, b"").strip(b" \0")
        value = value.rstrip(b"^= ") if keyword in _NAMES else value
        found.append((several and decoded(value, _declared(header))) or value)
    return found


def _declared(header: InstanceHeader) -> bytes:
    """Specific Character Set without padding."""
    return header.identity.get("SpecificCharacterSet", b"").strip(b" \0")


def invalid(headers: Sequence[InstanceHeader]) -> tuple[Finding, ...]:
    """INVALID_IDENTITY where a UID, the patient's name or ID, or the character set is not valid.

    Without a valid character set, a name's bytes can neither be read nor copied.
    """
    broken: Counter[str] = Counter()
    for header in headers:
        for name, uid in (
            ("Study Instance UID", header.study_uid),
            ("Series Instance UID", header.series_uid),
            ("SOP Instance UID", header.sop_instance_uid),
            ("Frame of Reference UID", header.frame_of_reference_uid),
        ):
            missing_frame = not uid and name.startswith("Frame")
            broken[f"{name} is missing or invalid"] += not (missing_frame or is_uid(uid))
        declared = _declared(header)
        broken["Specific Character Set holds other than printable ASCII"] += not (
            declared.isascii() and declared.decode("ascii").isprintable()
        )
        for keyword, name in _NEVER_EMPTY.items():
            fault = _text_fault(keyword, header.identity.get(keyword, b""), declared)
            broken[f"{name} holds {fault}"] += bool(fault)
    other = sum(
        header.media_sop_instance_uid not in ("", header.sop_instance_uid) for header in headers
    )
    if other < len(headers):  # if it concerns all slices, a tool gave the series new UIDs
        broken["SOP Instance UID differs from that of the file meta group"] = other
    found = [f"{fault} in {count} slices" for fault, count in broken.items() if count]
    return tuple(
        Finding(Code.INVALID_IDENTITY, detail) for detail in (*found, *_several_sets(headers))
    )


def _several_sets(headers: Sequence[InstanceHeader]) -> list[str]:
    """The reason why texts of slices with different character sets cannot be copied."""
    count = len({_declared(header) for header in headers})
    texts = (header.identity.get(keyword, b"") for header in headers for keyword in _TEXTS)
    if count < 2 or all(map(is_ascii, texts)):
        return []
    return [f"the slices declare {count} character sets, and not all of their texts are ASCII"]


def is_uid(value: str) -> bool:
    """Whether a text is a valid UID."""
    return len(value) <= MAX_TEXT and bool(_UID.fullmatch(value))


def identity_of(headers: Sequence[InstanceHeader]) -> tuple[Dataset, tuple[str, ...]]:
    """The elements to copy, with the CT's bytes, and notes on elements that were changed.

    If slices disagree on a descriptive element, the most common value is used. A value that breaks
    its VR is left empty. Missing required elements are empty.
    """
    dataset = Dataset()
    notes = []
    declared = _most_common(headers, "SpecificCharacterSet") or b""
    if not known(declared):
        notes.append("SpecificCharacterSet: unknown, only ASCII texts were copied")
    for keyword in IDENTITY_KEYWORDS:
        if len(set(_comparable(headers, keyword))) > 1:
            notes.append(f"{keyword}: the slices disagree, the most common value was copied")
        value = _most_common(headers, keyword)
        if value is None and keyword in _OPTIONAL:
            continue
        if value and not _valid(keyword, value, declared):
            notes.append(f"{keyword}: not valid, left empty")
            value = b""
        dataset[tag_of(keyword)] = _element(keyword, value or b"")
    dataset.set_original_encoding(False, True, _encodings(declared))
    return dataset, tuple(notes)


def _most_common(headers: Sequence[InstanceHeader], keyword: str) -> bytes | None:
    values = Counter(header.identity.get(keyword) for header in headers)
    return min(values.items(), key=lambda item: (-item[1], item[0] or b""))[0]


def _element(keyword: str, value: bytes) -> RawDataElement:
    tag = Tag(tag_of(keyword))
    return RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)


def _encodings(declared: bytes) -> list[str]:
    """pydicom's names of the character sets, with which a writer keeps the bytes unchanged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom uses the default for unknown names
        return list(convert_encodings(terms(declared)))


def _valid(keyword: str, value: bytes, declared: bytes) -> bool:
    if keyword == "PatientSex":
        return plain(value) in ("M", "F", "O")
    if keyword in _TEXTS:
        return not _text_fault(keyword, value, declared)
    return _RULES.get(dictionary_VR(tag_of(keyword)), bool)(value)


def _date(value: bytes) -> bool:
    written = plain(value)
    if not re.fullmatch(r"\d{8}", written):
        return not written
    try:
        date.fromisoformat(written)
    except ValueError:
        return False
    return True


def _time(value: bytes) -> bool:
    return not plain(value) or bool(_TIME.fullmatch(plain(value)))


def _text_fault(keyword: str, value: bytes, declared: bytes) -> str:
    """The violation of a text's VR, empty for a valid text; never a part of the text."""
    if not known(declared) and not is_ascii(value):
        return "other than ASCII under an unknown Specific Character Set"
    found = list(characters(value.strip(b" \0"), declared))
    if any(len(one) == 1 and one < b" " for one in found):
        return "a control character"
    if b"\\" in found:
        return "a backslash, which separates values"
    groups = [0]
    for one in found:
        if one == b"=" and keyword in _NAMES:
            groups.append(0)
        else:
            groups[-1] += 1
    if len(groups) > _MAX_GROUPS:
        return f"{len(groups)} component groups (at most {_MAX_GROUPS})"
    limit = _TEXTS[keyword]
    return f"{max(groups)} characters (at most {limit})" if max(groups) > limit else ""


_RULES: dict[str, Callable[[bytes], bool]] = {
    "DA": _date,
    "TM": _time,
    "UI": lambda value: is_uid(plain(value)),
}


def age_years(header: InstanceHeader) -> float | None:
    """Age at the time of the study if it is credible, else None.

    Patient's Age is used if it is above zero, or if birth and study dates agree with it to one of
    its units. Otherwise the dates are used, if they give an age above zero.
    """
    dates = _years_between(header)
    written = _AGE.fullmatch(header.patient_age)
    if written:
        unit = _YEARS[written[2]]
        age = int(written[1]) * unit
        if age > 0 or (dates is not None and dates < unit):
            return age
    return dates or None


def _years_between(header: InstanceHeader) -> float | None:
    """Years from birth to study by their dates; None where they give none."""
    birth, study = (header.identity.get(k, b"") for k in ("PatientBirthDate", "StudyDate"))
    if not (plain(birth) and plain(study) and _date(birth) and _date(study)):
        return None
    days = (date.fromisoformat(plain(study)) - date.fromisoformat(plain(birth))).days
    return days / 365.25 if days >= 0 else None
