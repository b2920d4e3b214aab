"""Findings about the file's encoding and the object's attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom import Dataset
from pydicom.charset import python_encoding
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from oarflow.rtstruct.check.headers import raw
from oarflow.rtstruct.lint.context import Context
from oarflow.rtstruct.lint.rules import LintFinding
from oarflow.rtstruct.reader import items, referenced_images, text

DS_BYTES = 16
CONTOUR_BYTES = 65_534
DATE = re.compile(rb"(\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
TIME = re.compile(rb"([01]\d|2[0-3])([0-5]\d([0-5]\d|60)?(\.\d{1,6})?)?")
YEARS = (1850, 2199)

TYPE_1 = (
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "StructureSetLabel",
)
TYPE_1_SEQUENCES = ("StructureSetROISequence", "ROIContourSequence", "RTROIObservationsSequence")
TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "ReferringPhysicianName", "StudyID", "AccessionNumber", "SeriesNumber", "Manufacturer",
    "OperatorsName", "StructureSetDate", "StructureSetTime",
)  # fmt: skip
TEXTS = ("PatientName", "StructureSetLabel", "StructureSetDescription", "SeriesDescription")
DATES = ("StudyDate", "SeriesDate", "StructureSetDate", "InstanceCreationDate", "PatientBirthDate")
TIMES = ("StudyTime", "SeriesTime", "StructureSetTime", "InstanceCreationTime")


def encoding_findings(context: Context) -> Iterator[LintFinding]:
    """Findings about the encoding of the bytes."""
    facts = context.document.survey
    if not facts.has_preamble:
        yield LintFinding("NO_PREAMBLE", 1)
    if not facts.has_meta:
        yield LintFinding("NO_FILE_META", 1)
    deflated = facts.declared_syntax == DeflatedExplicitVRLittleEndian
    if facts.declared_syntax and not deflated and facts.declared_syntax != facts.syntax:
        yield LintFinding("SYNTAX_MISMATCH", 1, f"the bytes are {facts.syntax.name}")
    if facts.trailing_zeros:
        yield LintFinding("TRAILING_BYTES", facts.trailing_zeros)
    if facts.disordered:
        yield LintFinding("TAG_ORDER", facts.disordered)
    if facts.unknown_vr:
        yield LintFinding("VR_UNKNOWN", len(facts.unknown_vr), _tags(facts.unknown_vr))
    if facts.private:
        yield LintFinding("PRIVATE_ELEMENTS", len(facts.private), _tags(facts.private))
    lengths = [max(map(len, c.raw.split(b"\\"))) for c in context.contours if c.raw]
    long = sum(length > DS_BYTES for length in lengths)
    if long:
        yield LintFinding(
            "DS_TOO_LONG", long, f"contours; the longest value has {max(lengths)} bytes"
        )
    large = [len(c.raw) for c in context.contours if len(c.raw) > CONTOUR_BYTES]
    if large:
        yield LintFinding("CONTOUR_OVER_64K", len(large), f"the largest has {max(large)} bytes")


def _tags(tags: set[int]) -> str:
    shown = ", ".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in sorted(tags)[:4])
    return shown + (" and more" if len(tags) > 4 else "")


def identity_findings(context: Context) -> Iterator[LintFinding]:
    """Findings about attributes of patient, study, series and structure set."""
    dataset = context.dataset
    missing = [k for k in TYPE_1 if not text(dataset, k)]
    missing += [k for k in TYPE_1_SEQUENCES if k not in dataset]
    if missing:
        yield LintFinding("TYPE_1_MISSING", len(missing), ", ".join(missing))
    absent = [k for k in TYPE_2 if k not in dataset]
    if absent:
        yield LintFinding("TYPE_2_MISSING", len(absent), ", ".join(absent))
    if text(dataset, "Modality") not in ("", "RTSTRUCT"):
        yield LintFinding("MODALITY_LIES", 1)
    label = text(dataset, "StructureSetLabel")
    if len(label) > 16:
        yield LintFinding("LABEL_LENGTH", 1, f"{len(label)} characters")
    broken = [k for k in DATES if (v := raw(dataset, k)) and not _is_date(v)]
    broken += [k for k in TIMES if (v := raw(dataset, k)) and not TIME.fullmatch(v)]
    if broken:
        yield LintFinding("BAD_DATE", len(broken), ", ".join(broken))
    yield from _approval(dataset)
    yield from _uids(context)
    yield from _character_set(dataset)


def _is_date(value: bytes) -> bool:
    found = DATE.fullmatch(value)
    return bool(found and YEARS[0] <= int(found[1]) <= YEARS[1])


def _approval(dataset: Dataset) -> Iterator[LintFinding]:
    status = text(dataset, "ApprovalStatus")
    if status in ("APPROVED", "REJECTED"):
        yield LintFinding(status, 1)
    elif status != "UNAPPROVED":
        yield LintFinding("APPROVAL_MISSING", 1)


def _uids(context: Context) -> Iterator[LintFinding]:
    dataset = context.dataset
    keywords = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
    bad = [k for k in keywords if (v := text(dataset, k)) and not UID(v).is_valid]
    images = {text(image, "ReferencedSOPInstanceUID") for image in referenced_images(dataset)}
    if text(dataset, "SOPInstanceUID") in images:
        bad.append("SOPInstanceUID is an image's")
    if bad:
        yield LintFinding("UID_INVALID", len(bad), ", ".join(bad))
    meta_uid = context.document.survey.meta_instance_uid
    if meta_uid and meta_uid != text(dataset, "SOPInstanceUID"):
        yield LintFinding("META_UID_MISMATCH", 1)


def _character_set(dataset: Dataset) -> Iterator[LintFinding]:
    declared = [part.strip() for part in raw(dataset, "SpecificCharacterSet").split(b"\\")]
    names = [part.decode("ascii", "replace") for part in declared]
    codecs = [python_encoding.get(name, "") for name in names]
    values = [raw(dataset, keyword) for keyword in TEXTS]
    for item in items(dataset, "StructureSetROISequence"):
        values += [raw(item, "ROIName"), raw(item, "ROIDescription")]
    wrong = sum(not _decodes(value, codecs) for value in values)
    if wrong:
        yield LintFinding("CHARACTER_SET", wrong, "texts")


def _decodes(value: bytes, codecs: list[str]) -> bool:
    """Whether a text is plain ASCII or fits the declared set (escape sequences are trusted)."""
    if value.isascii():
        return True
    if len(codecs) > 1:
        return all(codecs[1:])
    if codecs[0] in ("", "ascii", "iso8859"):  # pydicom's names for the default repertoire
        return False
    try:
        value.decode(codecs[0])
    except (UnicodeDecodeError, LookupError):
        return False
    return True
