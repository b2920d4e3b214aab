"""Who and which study: what an RTSTRUCT copies from the CT, and whether the slices agree on it."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date

from pydicom import Dataset
from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from oarflow.errors import Code, Finding
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
_ESCAPE = 0x1B


def mixed_persons(headers: Sequence[InstanceHeader]) -> tuple[Finding, ...]:
    """MIXED_PATIENTS where headers disagree on who the patient is."""
    return tuple(
        Finding(Code.MIXED_PATIENTS, f"{len(values)} different values of {keyword}")
        for keyword in _PERSON
        if len(values := {_comparable(header.identity.get(keyword)) for header in headers}) > 1
    )


def another_person(one: InstanceHeader, other: InstanceHeader) -> bool:
    """Whether two objects name different patients; what one of them leaves out does not count."""
    values = (
        (_comparable(one.identity.get(keyword)), _comparable(other.identity.get(keyword)))
        for keyword in _PERSON
    )
    return any(first and second and first != second for first, second in values)


def _comparable(value: bytes | None) -> bytes:
    """A value without what writers add or leave out: padding and empty name components."""
    return (value or b"").strip(b" \0").rstrip(b"^ ")


def invalid(headers: Sequence[InstanceHeader]) -> tuple[Finding, ...]:
    """INVALID_IDENTITY where a UID, a Patient ID or the character set breaks the rules of its VR.

    Without its character set a name's bytes cannot be read, nor be passed on as they were.
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
            broken[name] += not (missing_frame or is_uid(uid))
        broken["Specific Character Set"] += not _codes(
            header.identity.get("SpecificCharacterSet") or b""
        )
        broken["Patient ID"] += not _long_string(header.identity.get("PatientID", b""))
    other = sum(
        header.media_sop_instance_uid not in ("", header.sop_instance_uid) for header in headers
    )
    if other < len(headers):  # in all of them it is the habit of a tool that gave new UIDs
        broken["SOP Instance UID beside that of the file meta group"] = other
    return tuple(
        Finding(Code.INVALID_IDENTITY, f"{name} is missing or invalid in {count} slices")
        for name, count in broken.items()
        if count
    )


def is_uid(value: str) -> bool:
    """Whether a text is a valid UID."""
    return len(value) <= MAX_TEXT and bool(_UID.fullmatch(value))


def identity_of(headers: Sequence[InstanceHeader]) -> tuple[Dataset, tuple[str, ...]]:
    """The elements to copy, with the bytes of the CT, and notes on what was not copied as it was.

    Where slices disagree on a descriptive element, the most common value is taken; a value that
    breaks its VR is left empty; required elements that are missing are empty.
    """
    dataset = Dataset()
    notes = []
    for keyword in IDENTITY_KEYWORDS:
        values = Counter(header.identity.get(keyword) for header in headers)
        if len({_comparable(value) for value in values}) > 1:
            notes.append(f"{keyword}: the slices disagree, the most common value was taken")
        value = min(values.items(), key=lambda item: (-item[1], item[0] or b""))[0]
        if value is None and keyword in _OPTIONAL:
            continue
        if value and not _valid(keyword, value):
            notes.append(f"{keyword}: not valid, left empty")
            value = b""
        dataset[tag_of(keyword)] = _element(keyword, value or b"")
    dataset.set_original_encoding(False, True, _encodings(dataset))
    return dataset, tuple(notes)


def _element(keyword: str, value: bytes) -> RawDataElement:
    tag = Tag(tag_of(keyword))
    return RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)


def _encodings(dataset: Dataset) -> str | list[str]:
    """What pydicom calls the character sets: with it, a writer passes the bytes on untouched."""
    tag = tag_of("SpecificCharacterSet")
    element = dataset.get_item(tag) if tag in dataset else None
    value = element.value if isinstance(element, RawDataElement) else None
    if not isinstance(value, bytes):
        return default_encoding
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unknown names are taken for the default
        return list(convert_encodings(_parts(value)))


def _valid(keyword: str, value: bytes) -> bool:
    if keyword == "PatientSex":
        return plain(value) in ("M", "F", "O")
    return _RULES[dictionary_VR(tag_of(keyword))](value)


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


def _printable(value: bytes) -> bool:
    """No control characters; escape sequences of character sets are none."""
    return all(byte >= 0x20 or byte == _ESCAPE for byte in value.rstrip(b"\0"))


def _string(limit: int) -> Callable[[bytes], bool]:
    """One value of at most so many characters. Bytes are counted, tripled for other alphabets."""

    def valid(value: bytes) -> bool:
        bound = limit if value.isascii() and _ESCAPE not in value else 4 * limit
        single = not value.isascii() or b"\\" not in value
        return len(value.strip(b" \0")) <= bound and _printable(value) and single

    return valid


_long_string = _string(MAX_TEXT)


def _name(value: bytes) -> bool:
    groups = value.split(b"=")
    return len(groups) <= 3 and all(_long_string(group) for group in groups)


def _codes(value: bytes) -> bool:
    return all(len(part) <= 16 and re.fullmatch(r"[A-Z0-9_ ]*", part) for part in _parts(value))


def _parts(value: bytes) -> list[str]:
    return [part.strip() for part in plain(value).split("\\")]


_RULES: dict[str, Callable[[bytes], bool]] = {
    "DA": _date,
    "TM": _time,
    "LO": _long_string,
    "SH": _string(16),
    "PN": _name,
    "UI": lambda value: is_uid(plain(value)),
    "CS": _codes,
}


def age_years(header: InstanceHeader) -> float | None:
    """Age at the study where it is credible, else None.

    Patient's Age counts where it is above zero, or where birth and study dates give an age within
    one of its units; otherwise the dates count, where they give an age above zero.
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
