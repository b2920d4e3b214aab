"""Parts of data sets that several written objects share."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache

from pydicom import Dataset
from pydicom.charset import convert_encodings, decode_bytes, default_encoding, encode_string
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag, ItemTag, Tag
from pydicom.uid import UID, ImplicitVRLittleEndian

from oarflow.rtstruct.decimal_strings import padded
from oarflow.rtstruct.provenance import (
    IMPLEMENTATION_CLASS_UID,
    SOFTWARE,
    Origin,
    Provenance,
    ascii_text,
)
from oarflow.rtstruct.specs import CodedConcept
from oarflow.structures import ModelIdentity
from oarflow.version import __version__
from oarflow.volume import IDENTITY_KEYWORDS, Source

_HEADER = struct.Struct("<HHI")
"""Tag and length of an element or item in Implicit VR Little Endian."""

_ONLY_WHERE_PRESENT = frozenset({"SpecificCharacterSet", "IssuerOfPatientID"})

ANATOMICAL_STRUCTURE = CodedConcept("123037004", "SCT", "Anatomical Structure")
"""The category of all contoured organs (CID 7150)."""

_PROCESSING_EQUIPMENT = CodedConcept("109102", "DCM", "Processing Equipment")
_ARTIFICIAL_INTELLIGENCE = CodedConcept("123110", "DCM", "Artificial Intelligence")
_MORPHOLOGICAL = CodedConcept("123104", "DCM", "Morphological Operations")


@cache
def tag_of(keyword: str) -> BaseTag:
    """The tag of a keyword in the dictionary. Raises KeyError."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return Tag(tag)


def raw_element(keyword: str, value: bytes) -> RawDataElement:
    """An element whose value is written unchanged, padded to even length."""
    tag = tag_of(keyword)
    vr = dictionary_VR(tag)
    value = padded(value, b"\0" if vr == "UI" else b" ")
    return RawDataElement(tag, vr, len(value), value, 0, True, True)


def raw_item(elements: Sequence[RawDataElement]) -> Dataset:
    """A sequence item of raw elements."""
    item = Dataset({element.tag: element for element in elements})
    item.set_original_encoding(True, True, default_encoding)
    return item


def encoded_item(elements: Sequence[RawDataElement]) -> bytes:
    """Raw elements, in ascending order, as the bytes of one sequence item (Implicit VR).

    Writing thousands of contours as bytes is ten times faster than as data sets.
    """
    body = b"".join(
        _HEADER.pack(element.tag.group, element.tag.element, element.length)
        + (element.value or b"")
        for element in elements
    )
    return _HEADER.pack(ItemTag.group, ItemTag.element, len(body)) + body


def copy_identity(target: Dataset, source: Source) -> None:
    """Copy patient, study and frame of reference byte for byte; missing required ones are empty.

    The source's UIDs replace missing UIDs of the identity.
    """
    for keyword in IDENTITY_KEYWORDS:
        tag = tag_of(keyword)
        if tag in source.identity:
            target[tag] = _as_written(source.identity.get_item(tag))
        elif keyword not in _ONLY_WHERE_PRESENT:
            target[tag] = DataElement(tag, dictionary_VR(tag), None)
    target.StudyInstanceUID = source.study_uid
    target.FrameOfReferenceUID = source.frame_of_reference_uid
    target.set_original_encoding(True, True, _encodings(source))


def can_write(text: str, source: Source) -> bool:
    """Whether the CT's Specific Character Set, which written objects copy, can encode a text.

    ASCII is the same in all sets; without a set, only ASCII may be written (PS3.5 6.1.2).
    """
    if text.isascii():
        return True
    encodings = ["ascii" if name == default_encoding else name for name in _encodings(source)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # pydicom warns if it writes question marks
            return decode_bytes(encode_string(text, encodings), encodings, set()) == text
    except (UnicodeError, UserWarning):
        return False


def _encodings(source: Source) -> list[str]:
    declared = source.identity.get("SpecificCharacterSet")
    return list(convert_encodings(declared)) if declared else [default_encoding]


def _as_written(element: DataElement | RawDataElement) -> DataElement | RawDataElement:
    if not isinstance(element, RawDataElement):
        return element
    vr = dictionary_VR(element.tag)
    value = padded(element.value or b"", b"\0" if vr == "UI" else b" ")
    return RawDataElement(element.tag, vr, len(value), value, 0, True, True)


def code_item(code: CodedConcept) -> Dataset:
    """A coded concept as a sequence item that contains its modifier."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = code.meaning
    if code.modifier is not None:
        item.SegmentedPropertyTypeModifierCodeSequence = [code_item(code.modifier)]
    return item


def algorithm_item(model: ModelIdentity) -> Dataset:
    """A network or rule as an Algorithm Identification item (PS3.3 10.16)."""
    item = Dataset()
    family = _MORPHOLOGICAL if model.rule else _ARTIFICIAL_INTELLIGENCE
    item.AlgorithmFamilyCodeSequence = [code_item(family)]
    item.AlgorithmName = ascii_text(model.name, 64)
    item.AlgorithmVersion = ascii_text(model.version, 64)
    item.AlgorithmParameters = f"sha256={ascii_text(model.sha256, 64)}"
    item.AlgorithmSource = SOFTWARE
    return item


def equipment_item(
    source: Source, provenance: Provenance, when: datetime, origins: Collection[Origin] = ()
) -> Dataset:
    """This program as contributing equipment, with the facts on which the result depends.

    origins: of the contours, if they differ from the provenance's.
    """
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code_item(_PROCESSING_EQUIPMENT)]
    item.Manufacturer = SOFTWARE
    item.ManufacturerModelName = SOFTWARE
    item.SoftwareVersions = ascii_text(provenance.version, 64)
    item.ContributionDateTime = when.strftime("%Y%m%d%H%M%S")
    item.ContributionDescription = provenance.describe(source, origins)
    return item


def file_meta(sop_class_uid: str, sop_instance_uid: str) -> FileMetaDataset:
    """The file meta group of an object in Implicit VR Little Endian."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = ascii_text(f"OARFLOW_{__version__}", 16)
    return meta
