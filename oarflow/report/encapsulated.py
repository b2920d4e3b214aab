"""The PDF as a DICOM object in the CT's study, for the PACS (PS3.3 A.45.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydicom import Dataset, dcmwrite
from pydicom.uid import EncapsulatedPDFStorage

from oarflow.report.content import WARNING
from oarflow.rtstruct.elements import copy_identity, equipment_item, file_meta
from oarflow.rtstruct.provenance import SOFTWARE, Provenance, ascii_text, run_uid
from oarflow.volume import Source

SERIES_NUMBER = 1
_OF_NO_IMAGE = ("FrameOfReferenceUID", "PositionReferenceIndicator")
"""Elements that only objects with geometry need; a document has none."""

Reference = tuple[str, str]
"""SOP Class UID and SOP Instance UID."""


def write_encapsulated(
    path: Path,
    pdf: bytes,
    source: Source,
    *,
    derived_from: Sequence[Reference],
    provenance: Provenance,
    when: datetime,
) -> str:
    """Write a PDF as DICOM (Implicit VR Little Endian). Returns its SOP Instance UID.

    derived_from: the objects that the report describes; the source's images are added.
    """
    dataset = encapsulated_dataset(
        pdf, source, derived_from=derived_from, provenance=provenance, when=when
    )
    dcmwrite(path, dataset, enforce_file_format=True, implicit_vr=True, little_endian=True)
    return str(dataset.SOPInstanceUID)


def encapsulated_dataset(
    pdf: bytes,
    source: Source,
    *,
    derived_from: Sequence[Reference],
    provenance: Provenance,
    when: datetime,
) -> Dataset:
    """An Encapsulated PDF data set in a series of its own, with its file meta group."""
    date, time = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
    dataset = Dataset()
    copy_identity(dataset, source)
    for keyword in _OF_NO_IMAGE:
        del dataset[keyword]
    dataset.SOPClassUID = EncapsulatedPDFStorage
    dataset.SOPInstanceUID = run_uid("PDF instance", source, provenance, when, (pdf,))
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date, time
    dataset.Modality = "DOC"
    dataset.SeriesInstanceUID = run_uid("PDF series", source, provenance, when, (pdf,))
    dataset.SeriesNumber = SERIES_NUMBER
    dataset.SeriesDate, dataset.SeriesTime = date, time
    dataset.SeriesDescription = f"{SOFTWARE} report (research use only)"
    dataset.Manufacturer = SOFTWARE
    dataset.ManufacturerModelName = SOFTWARE
    dataset.SoftwareVersions = ascii_text(provenance.version, 64)
    dataset.ContributingEquipmentSequence = [equipment_item(source, provenance, when)]
    dataset.ConversionType = "WSD"
    dataset.InstanceNumber = 1
    dataset.ContentDate, dataset.ContentTime = date, time
    dataset.AcquisitionDateTime = ""
    dataset.BurnedInAnnotation = "NO"
    dataset.DocumentTitle = f"{SOFTWARE} report: {WARNING}"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.ConceptNameCodeSequence = []
    images = [(source.sop_class_uid, uid) for uid in source.sop_instance_uids]
    dataset.SourceInstanceSequence = [_reference(*pair) for pair in (*derived_from, *images)]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    dataset.EncapsulatedDocumentLength = len(pdf)
    dataset.file_meta = file_meta(EncapsulatedPDFStorage, dataset.SOPInstanceUID)
    return dataset


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item
