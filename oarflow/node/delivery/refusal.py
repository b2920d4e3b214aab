"""A refused study's reason as an Encapsulated PDF in the study (PS3.3 A.45.1)."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydicom import Dataset, dcmread, dcmwrite
from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import EncapsulatedPDFStorage, ImplicitVRLittleEndian, generate_uid
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

from oarflow.errors import Code
from oarflow.intake.elements import raw, tag_of
from oarflow.reason_codes import REASONS
from oarflow.shown import shown
from oarflow.version import __version__

COPIED = (
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Attributes of patient and study, copied byte for byte; empty if the images lack them."""

_ONLY_WHERE_PRESENT = frozenset({"SpecificCharacterSet", "IssuerOfPatientID"})

TITLE = "OARflow: not contoured. Research use only"


@dataclass(frozen=True)
class RefusedStudy:
    """A refused study.

    key: of the job. epoch: the job's fixed time (s since 1970). code: None if not known.
    reason: in words. image: any file of the series, for patient and study.
    """

    key: str
    epoch: int
    code: str | None
    reason: str
    image: Path


def encapsulate(study: RefusedStudy, pdf: bytes, target: Path) -> str:
    """Write the object. Returns its SOP Instance UID, the same for the same job and document.

    Raises OSError and pydicom's errors if the image cannot be read.
    """
    source = dcmread(study.image, stop_before_pixels=True, specific_tags=list(COPIED), force=True)
    dataset = _dataset(study, pdf, source)
    dcmwrite(target, dataset, enforce_file_format=True, implicit_vr=True, little_endian=True)
    return str(dataset.SOPInstanceUID)


def _dataset(study: RefusedStudy, pdf: bytes, source: Dataset) -> Dataset:
    dataset = Dataset()
    for keyword in COPIED:
        value = raw(source, keyword)
        if value is not None or keyword not in _ONLY_WHERE_PRESENT:
            dataset[tag_of(keyword)] = _as_written(keyword, value or b"")
    encodings = convert_encodings(source.get("SpecificCharacterSet") or "")
    dataset.set_original_encoding(
        True, True, encodings
    )  # otherwise pydicom encodes the texts again
    when = datetime.fromtimestamp(study.epoch, UTC)
    date, time = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
    entropy = [study.key, str(study.epoch), hashlib.sha256(pdf).hexdigest()]
    dataset.SOPClassUID = EncapsulatedPDFStorage
    dataset.SOPInstanceUID = generate_uid(None, ["refusal instance", *entropy])
    dataset.SeriesInstanceUID = generate_uid(None, ["refusal series", *entropy])
    dataset.Modality, dataset.ConversionType = "DOC", "WSD"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.SeriesDescription = TITLE
    dataset.Manufacturer = "OARflow"
    dataset.SoftwareVersions = __version__
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date, time
    dataset.SeriesDate, dataset.SeriesTime = date, time
    dataset.ContentDate, dataset.ContentTime = date, time
    dataset.AcquisitionDateTime = ""
    dataset.BurnedInAnnotation = "NO"
    dataset.DocumentTitle = TITLE
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.ConceptNameCodeSequence = []
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    dataset.EncapsulatedDocumentLength = len(pdf)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return dataset


def _as_written(keyword: str, value: bytes) -> RawDataElement:
    """An element with these bytes, padded to even length."""
    vr = dictionary_VR(keyword)
    value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    return RawDataElement(Tag(keyword), vr, len(value), value, 0, True, True)


def reason_page(study: RefusedStudy) -> bytes:
    """A PDF page for a study that was refused before any run, without patient data."""
    styles = getSampleStyleSheet()
    story = [Paragraph(TITLE, styles["Title"]), Spacer(1, 12)]
    if study.code in {code.value for code in Code}:
        known = REASONS[Code(study.code)]
        story += [
            Paragraph(str(study.code), styles["Heading2"]),
            Paragraph(_escaped(known.meaning), styles["BodyText"]),
            Paragraph(_escaped(known.remedy), styles["BodyText"]),
        ]
    story.append(Paragraph(_escaped(study.reason), styles["BodyText"]))
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pagesize=A4, title=TITLE, invariant=1).build(story)
    return buffer.getvalue()


def _escaped(text: str) -> str:
    return shown(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
