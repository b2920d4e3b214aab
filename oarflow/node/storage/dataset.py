"""Checks that received bytes are a complete instance, and reads its identity, within limits."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass, field
from io import BytesIO

from pydicom import DataElement, Dataset
from pydicom.dataelem import RawDataElement
from pydicom.filereader import data_element_generator, read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from oarflow.intake.elements import text
from oarflow.node.database.receiving import Texts
from oarflow.node.storage.statuses import NotStored, StoreStatus

_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_UNDEFINED = 0xFFFFFFFF
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_COUNT = re.compile(r"\+?\d{1,9}")
_ESCAPES = re.compile(r"\x1b[\x20-\x2f]+[\x30-\x7e]")

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


@dataclass(frozen=True)
class Header:
    """The identity of an instance."""

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    modality: str
    images_in_acquisition: int | None


@dataclass(frozen=True)
class Contents:
    """A parsed data set. sha256: of its bytes as received. dataset: without the pixels."""

    header: Header
    sha256: str
    dataset: Dataset = field(repr=False, compare=False)

    def texts(self) -> Texts:
        """Texts for a new study or series. A text that cannot be read is empty."""
        return Texts(_texts(self.dataset, STUDY_TEXTS), _texts(self.dataset, SERIES_TEXTS))


def inspect(data: bytes, transfer_syntax_uid: str, max_inflated: int) -> Contents:
    """Read a data set as sent. Raises NotStored.

    max_inflated: the most bytes of an inflated data set.
    """
    raw = data
    if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        raw = _inflate(data, max_inflated)
    dataset = _parse(raw, transfer_syntax_uid)
    header = _header(dataset, transfer_syntax_uid)
    for name, uid in (
        ("SOP Instance UID", header.sop_instance_uid),
        ("SOP Class UID", header.sop_class_uid),
        ("Study Instance UID", header.study_uid),
        ("Series Instance UID", header.series_uid),
    ):
        if len(uid) > 64 or not _UID.fullmatch(uid):
            raise NotStored(StoreStatus.CANNOT_UNDERSTAND, f"no valid {name}")
    return Contents(header, hashlib.sha256(data).hexdigest(), dataset)


def _header(dataset: Dataset, transfer_syntax_uid: str) -> Header:
    count = text(dataset, "ImagesInAcquisition")
    return Header(
        sop_class_uid=text(dataset, "SOPClassUID"),
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
        study_uid=text(dataset, "StudyInstanceUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        transfer_syntax_uid=transfer_syntax_uid,
        modality=text(dataset, "Modality"),
        images_in_acquisition=int(count) if _COUNT.fullmatch(count) else None,
    )


def _inflate(data: bytes, limit: int) -> bytes:
    """Inflate a raw deflate stream (PS3.5, A.5). Raises NotStored."""
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        raw = machine.decompress(data, limit)
    except zlib.error as error:
        raise NotStored(
            StoreStatus.CANNOT_UNDERSTAND, "the deflated data set is damaged"
        ) from error
    if machine.unconsumed_tail:
        raise NotStored(
            StoreStatus.CANNOT_UNDERSTAND, "the deflated data set grows beyond the limit"
        )
    if not machine.eof:
        raise NotStored(StoreStatus.CANNOT_UNDERSTAND, "the deflated data set is cut short")
    return raw


def _parse(raw: bytes, transfer_syntax_uid: str) -> Dataset:
    """The elements before the pixels. Raises NotStored, also if the pixels are incomplete."""
    implicit = transfer_syntax_uid == ImplicitVRLittleEndian
    little = transfer_syntax_uid != ExplicitVRBigEndian
    stream = BytesIO(raw)
    try:
        dataset = read_dataset(
            stream, implicit, little, stop_when=lambda tag, _vr, _length: int(tag) in _PIXELS
        )
        pixels = next(data_element_generator(stream, implicit, little), None)
        whole = all(_whole(element) for element in (*dataset.elements(), pixels))
    except Exception as error:  # the parser raises any exception on hostile bytes
        raise NotStored(StoreStatus.CANNOT_UNDERSTAND, "the data set cannot be parsed") from error
    if not whole or pixels is None or not pixels.value:
        raise NotStored(StoreStatus.CANNOT_UNDERSTAND, "the data set is cut short or has no pixels")
    return dataset


def _whole(element: DataElement | RawDataElement | None) -> bool:
    """Whether an element's value is complete; the parser checks sequences."""
    if not isinstance(element, RawDataElement) or element.length == _UNDEFINED:
        return element is not None
    return len(element.value or b"") == element.length


def _texts(dataset: Dataset, keywords: dict[str, str]) -> dict[str, str]:
    """Texts by attribute; a text that cannot be read is empty."""
    found = {}
    for column, keyword in keywords.items():
        try:
            value = str(dataset.get(keyword, "") or "")
        except Exception:  # a text that breaks its VR or character set
            value = ""
        value = _ESCAPES.sub(
            "", value.replace("\0", "")
        )  # pydicom leaves escape sequences of ISO-IR 58
        found[column] = value[: _SHORT.get(column, 256)]
    return found
