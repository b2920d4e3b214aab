"""Is what arrived a whole, well-formed instance, and which? Untrusted bytes, bounded work."""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from dataclasses import dataclass, field
from io import BytesIO

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from oarflow.intake.elements import plain, tag_of
from oarflow.intake.elements import raw as raw_value
from oarflow.node.database.receiving import Texts
from oarflow.node.listener.skim import ITEM, SEQUENCE_END, UNDEFINED, NotPlain, skim
from oarflow.node.listener.statuses import NotStored, Status

PIXEL_DATA = 0x7FE00010
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_COUNT = re.compile(r"\+?\d{1,9}")
_ESCAPES = re.compile(r"\x1b[\x20-\x2f]+[\x30-\x7e]")
_LONG_VRS = (b"OB", b"OW", b"OF", b"OD", b"OV", b"UN")

STUDY_TEXTS = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "birth_date": "PatientBirthDate",
    "sex": "PatientSex",
    "accession_number": "AccessionNumber",
    "study_date": "StudyDate",
    "description": "StudyDescription",
}
SERIES_TEXTS = {"description": "SeriesDescription", "station_name": "StationName"}
_SHORT = {"birth_date": 16, "sex": 16, "study_date": 16}


_HEADER = {
    keyword: tag_of(keyword)
    for keyword in (
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "Modality",
        "ImagesInAcquisition",
    )
}
_HEADER_TAGS = frozenset(_HEADER.values())


@dataclass(frozen=True)
class Header:
    """Which instance it is; what else its header says is read when the series is judged."""

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    modality: str
    images_in_acquisition: int | None


@dataclass(frozen=True)
class Contents:
    """What a data set is. sha256: of its bytes as they came."""

    header: Header
    sha256: str
    raw: bytes = field(repr=False)

    def texts(self) -> Texts:
        """Only a new study or series needs them. What cannot be read is empty."""
        try:
            dataset = _parse(self.raw, self.header.transfer_syntax_uid)
        except NotStored:
            dataset = Dataset()
        return Texts(_texts(dataset, STUDY_TEXTS), _texts(dataset, SERIES_TEXTS))


def inspect(data: bytes, transfer_syntax_uid: str, max_inflated: int) -> Contents:
    """Read a data set as it was sent. Raises NotStored.

    max_inflated: bytes that a deflated one may grow to.
    """
    raw = data
    if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        raw = _inflate(data, max_inflated)
    header = _header(_values(raw, transfer_syntax_uid), transfer_syntax_uid)
    for name, uid in (
        ("SOP Instance UID", header.sop_instance_uid),
        ("SOP Class UID", header.sop_class_uid),
        ("Study Instance UID", header.study_uid),
        ("Series Instance UID", header.series_uid),
    ):
        if len(uid) > 64 or not _UID.fullmatch(uid):
            raise NotStored(Status.CANNOT_UNDERSTAND, f"no valid {name}")
    return Contents(header, hashlib.sha256(data).hexdigest(), raw)


def _values(raw: bytes, transfer_syntax_uid: str) -> dict[int, bytes]:
    """Of the header, by tag; the pixels behind it are whole. Raises NotStored."""
    if transfer_syntax_uid != ExplicitVRBigEndian:
        implicit = transfer_syntax_uid == ImplicitVRLittleEndian
        try:
            values, pixels = skim(raw, implicit, _HEADER_TAGS, _PIXELS)
        except NotPlain:
            pass
        else:
            if not _pixels_whole(raw, pixels, implicit, little=True):
                raise _cut_short()
            return values
    dataset = _parse(raw, transfer_syntax_uid)
    return {tag: raw_value(dataset, keyword) or b"" for keyword, tag in _HEADER.items()}


def _header(values: dict[int, bytes], transfer_syntax_uid: str) -> Header:
    texts = {keyword: plain(values.get(tag)) for keyword, tag in _HEADER.items()}
    count = texts["ImagesInAcquisition"]
    return Header(
        sop_class_uid=texts["SOPClassUID"],
        sop_instance_uid=texts["SOPInstanceUID"],
        study_uid=texts["StudyInstanceUID"],
        series_uid=texts["SeriesInstanceUID"],
        transfer_syntax_uid=transfer_syntax_uid,
        modality=texts["Modality"],
        images_in_acquisition=int(count) if _COUNT.fullmatch(count) else None,
    )


def _inflate(data: bytes, limit: int) -> bytes:
    """As PS3.5 annex A.5 has it: no header."""
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        raw = machine.decompress(data, limit)
    except zlib.error as error:
        raise NotStored(Status.CANNOT_UNDERSTAND, "the deflated data set is damaged") from error
    if machine.unconsumed_tail:
        raise NotStored(Status.CANNOT_UNDERSTAND, "the deflated data set grows beyond the limit")
    if not machine.eof:
        raise NotStored(Status.CANNOT_UNDERSTAND, "the deflated data set is cut short")
    return raw


def _parse(raw: bytes, transfer_syntax_uid: str) -> Dataset:
    """The elements before the pixels; the pixels are there, whole."""
    implicit = transfer_syntax_uid == ImplicitVRLittleEndian
    little = transfer_syntax_uid != ExplicitVRBigEndian
    stream = BytesIO(raw)
    try:
        dataset = read_dataset(
            stream, implicit, little, stop_when=lambda tag, _vr, _length: _at_pixels(tag)
        )
        whole = all(
            len(element.value or b"") == element.length
            for element in dataset._dict.values()
            if isinstance(element, RawDataElement) and element.length != UNDEFINED
        )
        whole = whole and _pixels_whole(raw, stream.tell(), implicit, little)
    except Exception as error:  # the parser meets hostile bytes with any exception there is
        raise NotStored(Status.CANNOT_UNDERSTAND, "the data set cannot be parsed") from error
    if not whole:
        raise _cut_short()
    return dataset


def _cut_short() -> NotStored:
    return NotStored(Status.CANNOT_UNDERSTAND, "the data set is cut short or has no pixels")


def _at_pixels(tag: BaseTag) -> bool:
    return int(tag) in _PIXELS


def _pixels_whole(raw: bytes, start: int, implicit: bool, little: bool) -> bool:
    """Whether the element at `start` is pixel data that ends within the bytes."""
    order = "<" if little else ">"
    if len(raw) < start + 8:
        return False
    group, element = struct.unpack_from(f"{order}HH", raw, start)
    if (group << 16 | element) not in _PIXELS:
        return False
    if implicit:
        (length,) = struct.unpack_from(f"{order}L", raw, start + 4)
        value = start + 8
    elif raw[start + 4 : start + 6] in _LONG_VRS:
        (length,) = struct.unpack_from(f"{order}L", raw, start + 8)
        value = start + 12
    else:
        return False
    if length != UNDEFINED:
        return bool(0 < length <= len(raw) - value)
    return _items_end(raw, value)


def _items_end(raw: bytes, position: int) -> bool:
    """Whether encapsulated pixel data (always little endian) come to their delimiter."""
    while position + 8 <= len(raw):
        group, element, length = struct.unpack_from("<HHL", raw, position)
        tag = group << 16 | element
        if tag == SEQUENCE_END:
            return True
        if tag != ITEM or length == UNDEFINED:
            return False
        position += 8 + length
    return False


def _texts(dataset: Dataset, keywords: dict[str, str]) -> dict[str, str]:
    """Texts for people; what cannot be read is left empty."""
    found = {}
    for column, keyword in keywords.items():
        try:
            value = str(dataset.get(keyword, "") or "")
        except Exception:  # a text that breaks its VR or character set
            value = ""
        value = _ESCAPES.sub("", value.replace("\0", ""))  # pydicom leaves those of ISO-IR 58
        found[column] = value[: _SHORT.get(column, 256)]
    return found
