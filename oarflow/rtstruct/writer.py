"""Writes a structure set as a DICOM RTSTRUCT with all references and required attributes.

docs/reference/conformance.md explains each attribute; the tests show which failures of other
writers each rule prevents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataelem import RawDataElement
from pydicom.uid import UID, RTStructureSetStorage

from oarflow.errors import ConfigurationError
from oarflow.geometry import Grid
from oarflow.rtstruct.contours import MAX_CONTOUR_BYTES
from oarflow.rtstruct.decimal_strings import contour_text
from oarflow.rtstruct.descriptions import (
    MAX_DESCRIPTION_LENGTH,
    structure_set_description,
)
from oarflow.rtstruct.elements import (
    ANATOMICAL_STRUCTURE,
    algorithm_item,
    can_write,
    code_item,
    copy_identity,
    encoded_item,
    equipment_item,
    file_meta,
    raw_element,
    raw_item,
)
from oarflow.rtstruct.kept import NOTHING_KEPT, Kept
from oarflow.rtstruct.model import Contour, GeometricType, Roi, StructureSet
from oarflow.rtstruct.plane import SlicePlanes
from oarflow.rtstruct.provenance import SOFTWARE, Origin, Provenance, ascii_text, run_uid
from oarflow.rtstruct.specs import CodedConcept
from oarflow.volume import Source

OFF_PLANE_MM = 0.001
"""Greatest distance in mm of a written point from the plane of the slice that its contour names."""

DETACHED_STUDY_MANAGEMENT = UID("1.2.840.10008.3.1.2.3.1")
"""SOP class of a study in RT Referenced Study Sequence (retired, but still required)."""

_WRITABLE = (GeometricType.CLOSED_PLANAR, GeometricType.XOR)


def write_rtstruct(
    path: Path,
    structures: StructureSet,
    source: Source,
    grid: Grid,
    *,
    provenance: Provenance,
    when: datetime,
    decimals: int = 3,
    kept: Kept = NOTHING_KEPT,
) -> str:
    """Write a structure set as an RTSTRUCT (Implicit VR Little Endian). Returns its SOP UID.

    decimals: of in-plane coordinates in mm, as in the making of the contours. kept: unchanged
    regions of an opened file, which come before the others.

    Raises ConfigurationError (ROI_NAMES) where the CT's character set lacks a name, ValueError
    where the structure set cannot be written correctly (see `rtstruct_dataset`).
    """
    dataset = rtstruct_dataset(
        structures, source, grid, provenance=provenance, when=when, decimals=decimals, kept=kept
    )
    dcmwrite(path, dataset, enforce_file_format=True, implicit_vr=True, little_endian=True)
    return str(dataset.SOPInstanceUID)


def rtstruct_dataset(
    structures: StructureSet,
    source: Source,
    grid: Grid,
    *,
    provenance: Provenance,
    when: datetime,
    decimals: int = 3,
    kept: Kept = NOTHING_KEPT,
) -> Dataset:
    """An RTSTRUCT data set with its file meta group.

    Raises ConfigurationError (ROI_NAMES) where the CT's character set lacks a name, ValueError
    where ROI numbers are not 1..n (the lowest free ones beside kept regions), names repeat, a
    region's origin is none that DICOM knows or contradicts its model, a contour has fewer than
    three points or too much text, names an image that is not the source's, or leaves its slice's
    plane.
    """
    _check(structures, source, grid, kept)
    structures = replace(
        structures, rois=tuple(_with_origin(r, provenance) for r in structures.rois)
    )
    drawn = (*structures.rois, *kept.rois)
    origins = {Origin(roi.algorithm) for roi in drawn if roi.algorithm in set(Origin)}
    planes = SlicePlanes(grid, decimals)
    texts = [[_text(contour, planes) for contour in roi.contours] for roi in structures.rois]
    _check_texts(structures, texts)
    content = [*_content(structures, texts), *kept.content]
    dataset = Dataset()
    copy_identity(dataset, source)
    _add_series(dataset, source, provenance, when, content)
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = run_uid("RTSTRUCT instance", source, provenance, when, content)
    dataset.ContributingEquipmentSequence = [equipment_item(source, provenance, when, origins)]
    _add_structure_set(dataset, structures, source, when)
    dataset.StructureSetDescription = structure_set_description(origins, structures.warnings)
    dataset.ReferencedFrameOfReferenceSequence.extend(kept.frames)
    if kept.predecessor:
        dataset.PredecessorStructureSetSequence = [_predecessor_item(kept.predecessor)]
    dataset.StructureSetROISequence = [
        *kept.definitions,
        *(_roi_item(roi, source) for roi in structures.rois),
    ]
    dataset.ROIContourSequence = list(kept.drawings)
    dataset.ROIContourSequence += [
        _roi_contour_item(roi, parts, source)
        for roi, parts in zip(structures.rois, texts, strict=True)
    ]
    numbers = islice(kept.free_observation_numbers(), len(structures.rois))
    dataset.RTROIObservationsSequence = [
        *kept.observations,
        *map(_observation_item, structures.rois, numbers),
    ]
    dataset.ApprovalStatus = "UNAPPROVED"
    dataset.file_meta = file_meta(RTStructureSetStorage, dataset.SOPInstanceUID)
    return dataset


def _with_origin(roi: Roi, provenance: Provenance) -> Roi:
    """The region with its own origin, or else the provenance's. Raises ValueError."""
    algorithm = provenance.origin if roi.algorithm is None else roi.algorithm
    if algorithm and algorithm not in set(Origin):
        raise ValueError(f"{roi.name}: {algorithm!r} is not one of {', '.join(Origin)}")
    if algorithm == Origin.MANUAL and roi.model is not None:
        raise ValueError(f"{roi.name}: {algorithm}, although {roi.model.name} drew it")
    return replace(roi, algorithm=algorithm)


def _add_series(
    dataset: Dataset, source: Source, provenance: Provenance, when: datetime, content: list[bytes]
) -> None:
    """Add RT Series and General Equipment: a new series, made by this program."""
    date, time = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date, time
    dataset.SeriesDate, dataset.SeriesTime = date, time
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesInstanceUID = run_uid("RTSTRUCT series", source, provenance, when, content)
    dataset.SeriesNumber = 1
    dataset.SeriesDescription = f"{SOFTWARE} contours (research use only)"
    dataset.OperatorsName = ""
    dataset.Manufacturer = SOFTWARE
    dataset.ManufacturerModelName = SOFTWARE
    dataset.SoftwareVersions = ascii_text(provenance.version, 64)


def _add_structure_set(
    dataset: Dataset, structures: StructureSet, source: Source, when: datetime
) -> None:
    dataset.StructureSetLabel = structures.label
    dataset.StructureSetDate = when.strftime("%Y%m%d")
    dataset.StructureSetTime = when.strftime("%H%M%S")
    series = Dataset()
    series.SeriesInstanceUID = source.series_uid
    series.ContourImageSequence = [
        raw_item(_image_elements(source, uid)) for uid in source.sop_instance_uids
    ]
    study = Dataset()
    study.ReferencedSOPClassUID = DETACHED_STUDY_MANAGEMENT
    study.ReferencedSOPInstanceUID = source.study_uid
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = source.frame_of_reference_uid
    frame.RTReferencedStudySequence = [study]
    dataset.ReferencedFrameOfReferenceSequence = [frame]


def _image_elements(source: Source, sop_instance_uid: str) -> tuple[RawDataElement, ...]:
    return (
        raw_element("ReferencedSOPClassUID", source.sop_class_uid.encode("ascii")),
        raw_element("ReferencedSOPInstanceUID", sop_instance_uid.encode("ascii")),
    )


def _roi_item(roi: Roi, source: Source) -> Dataset:
    item = Dataset()
    item.ROINumber = roi.number
    item.ReferencedFrameOfReferenceUID = source.frame_of_reference_uid
    item.ROIName = roi.name
    if roi.description:
        item.ROIDescription = ascii_text(roi.description, MAX_DESCRIPTION_LENGTH)
    item.ROIGenerationAlgorithm = str(roi.algorithm)
    if roi.model is not None:
        text = f"{roi.model.name} {roi.model.version} sha256:{roi.model.sha256[:16]}"
        item.ROIGenerationDescription = ascii_text(text, 64)
        item.ROIDerivationAlgorithmIdentificationSequence = [algorithm_item(roi.model)]
    return item


def _roi_contour_item(roi: Roi, texts: list[bytes], source: Source) -> Dataset:
    """Contours of one region; without contours, no Contour Sequence (some readers need that)."""
    elements = [raw_element("ROIDisplayColor", "\\".join(map(str, roi.colour)).encode("ascii"))]
    if roi.contours:
        items = [
            _contour_item(c, text, source) for c, text in zip(roi.contours, texts, strict=True)
        ]
        elements.append(raw_element("ContourSequence", b"".join(items)))
    elements.append(raw_element("ReferencedROINumber", b"%d" % roi.number))
    return raw_item(elements)


def _contour_item(contour: Contour, text: bytes, source: Source) -> bytes:
    image = encoded_item(_image_elements(source, str(contour.sop_instance_uid)))
    return encoded_item(
        (
            raw_element("ContourImageSequence", image),
            raw_element("ContourGeometricType", contour.type.value.encode("ascii")),
            raw_element("NumberOfContourPoints", b"%d" % len(contour.points_lps)),
            raw_element("ContourData", text),
        )
    )


def _predecessor_item(sop_instance_uid: str) -> Dataset:
    """A reference to the opened file of the kept regions."""
    item = Dataset()
    item.ReferencedSOPClassUID = RTStructureSetStorage
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def _observation_item(roi: Roi, number: int) -> Dataset:
    item = Dataset()
    item.ObservationNumber = number
    item.ReferencedROINumber = roi.number
    if roi.code is not None:
        item.SegmentedPropertyCategoryCodeSequence = [code_item(ANATOMICAL_STRUCTURE)]
        item.RTROIIdentificationCodeSequence = [code_item(roi.code)]
    item.RTROIInterpretedType = roi.interpreted_type
    item.ROIInterpreter = ""
    return item


def _text(contour: Contour, planes: SlicePlanes) -> bytes:
    return contour_text(contour.points_lps, planes.written_decimals, planes.constant_axis)


def _content(structures: StructureSet, texts: list[list[bytes]]) -> Iterator[bytes]:
    """The content of a structure set on which the file's UID depends."""
    yield structures.label.encode("ascii")
    for roi, parts in zip(structures.rois, texts, strict=True):
        identity = (roi.number, roi.name, roi.colour, roi.description, roi.interpreted_type)
        yield f"({', '.join(map(repr, identity))}, {_code_text(roi.code)})".encode()
        yield repr(roi.model).encode()
        if roi.algorithm in (Origin.SEMIAUTOMATIC, Origin.MANUAL):
            yield roi.algorithm.encode()
        for contour, text in zip(roi.contours, parts, strict=True):
            yield f"{contour.type} {contour.sop_instance_uid}".encode()
            yield text


def _code_text(code: CodedConcept | None) -> str:
    """A code as part of a UID's content: the same text whatever the program calls the class."""
    if code is None:
        return "None"
    return (
        f"Code(value={code.value!r}, scheme={code.scheme!r}, meaning={code.meaning!r}, "
        f"modifier={_code_text(code.modifier)})"
    )


def _check(structures: StructureSet, source: Source, grid: Grid, kept: Kept) -> None:
    numbers = [roi.number for roi in structures.rois]
    if numbers != list(islice(kept.free_roi_numbers(), len(numbers))):
        wanted = "free" if kept.rois else f"1 to {len(numbers)}"
        raise ValueError(f"ROI numbers {numbers} are not {wanted}")
    names = [roi.name.lower() for roi in structures.rois]
    if len(set(names)) != len(names):
        raise ValueError("ROI names repeat (letter case aside)")
    for roi in (*kept.rois, *structures.rois):
        check_name(roi.name, source)
    if not structures.rois and not kept.rois:
        raise ValueError("a structure set needs at least one region")
    slice_of = {uid: k for k, uid in enumerate(source.sop_instance_uids)}
    for roi in structures.rois:
        for contour in roi.contours:
            _check_contour(contour, roi, slice_of, grid)


def check_name(name: str, source: Source) -> None:
    """Raise ConfigurationError (ROI_NAMES) for a name that the CT's character set lacks."""
    if not can_write(name, source):
        declared = source.identity.get("SpecificCharacterSet") or "none, so ASCII alone"
        raise ConfigurationError(
            "ROI_NAMES",
            f"ROI name {name!r} has letters that the CT's character set ({declared}) lacks: use "
            "another name",
        )


def _check_contour(contour: Contour, roi: Roi, slice_of: dict[str, int], grid: Grid) -> None:
    if contour.type not in _WRITABLE:
        raise ValueError(f"{roi.name}: {contour.type} is not written")
    if len(contour.points_lps) < 3:
        raise ValueError(f"{roi.name}: a contour has {len(contour.points_lps)} points")
    k = slice_of.get(contour.sop_instance_uid or "")
    if k is None:
        raise ValueError(f"{roi.name}: a contour names no image of the series")
    away = np.abs((contour.points_lps - grid.positions_lps[k]) @ grid.normal).max()
    if away > OFF_PLANE_MM:
        raise ValueError(f"{roi.name}: a contour lies {away:.4f} mm off the plane of its slice")


def _check_texts(structures: StructureSet, texts: list[list[bytes]]) -> None:
    for roi, parts in zip(structures.rois, texts, strict=True):
        longest = max(map(len, parts), default=0)
        if longest > MAX_CONTOUR_BYTES:
            raise ValueError(f"{roi.name}: a contour takes {longest} bytes of text")
