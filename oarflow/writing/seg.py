"""The same segmentations as a DICOM SEG: masks on the CT's grid, one segment an organ.

highdicom builds the object. Its input is a placeholder of a few pixels per slice that marks which
organ has which slice. The real masks are packed to bits one frame at a time, so that the memory
needed is that of the file, not of a full mask per organ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import combinations
from pathlib import Path

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as SrCode
from pydicom.uid import UID, ImplicitVRLittleEndian

from oarflow.geometry import Grid
from oarflow.rtstruct.decimal_strings import format_ds
from oarflow.rtstruct.elements import (
    ANATOMICAL_STRUCTURE,
    code_item,
    copy_identity,
    equipment_item,
    file_meta,
)
from oarflow.rtstruct.provenance import (
    SOFTWARE,
    Origin,
    Provenance,
    ascii_text,
    derived_uid,
    run_uid,
)
from oarflow.rtstruct.specs import CodedConcept, RoiSpec
from oarflow.structures import ModelIdentity, ProbabilityField, Segmentation
from oarflow.volume import Source

_OWN_SCHEME = "99OARFLOW"

_SERIES_NUMBER = 1
_NEUTRAL = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "PositionReferenceIndicator",
)


def write_seg(
    path: Path,
    segmentations: Sequence[Segmentation],
    source: Source,
    grid: Grid,
    specs: Mapping[str, RoiSpec],
    *,
    provenance: Provenance,
    when: datetime,
) -> str:
    """Write the written segmentations as a binary SEG (Implicit VR). Returns its SOP UID.

    specs: by organ; its order is that of the segments, numbered 1..n. Segmentations without a
    field, or whose mask is empty, have no segment.

    Raises ValueError where there is no segment at all, KeyError for an organ without a spec.
    """
    dataset = seg_dataset(segmentations, source, grid, specs, provenance=provenance, when=when)
    dcmwrite(path, dataset, enforce_file_format=True, implicit_vr=True, little_endian=True)
    return str(dataset.SOPInstanceUID)


def seg_dataset(
    segmentations: Sequence[Segmentation],
    source: Source,
    grid: Grid,
    specs: Mapping[str, RoiSpec],
    *,
    provenance: Provenance,
    when: datetime,
) -> Dataset:
    """A SEG data set with its file meta group: see `write_seg`."""
    rank = {organ: number for number, organ in enumerate(specs)}
    present = sorted(
        (
            s
            for s in segmentations
            if s.status.written and s.field is not None and s.field.mask.any()
        ),
        key=lambda segmentation: rank[segmentation.organ],
    )
    if not present:
        raise ValueError("no organ has a mask: there is nothing to write")
    if provenance.origin is Origin.MANUAL and any(s.model is not None for s in present):
        raise ValueError("the contours are MANUAL, although a network drew some of them")
    fields = [segmentation.field for segmentation in present if segmentation.field is not None]
    uid = run_uid("SEG instance", source, provenance, when, _content(present, fields))
    dataset = _template(present, fields, source, grid, specs, uid=uid, provenance=provenance)
    _set_frames(dataset, fields, grid, source)
    _set_run(dataset, source, provenance, when, uid)
    return dataset


def _content(
    present: Sequence[Segmentation], fields: Sequence[ProbabilityField]
) -> Iterator[bytes]:
    for segmentation, field in zip(present, fields, strict=True):
        yield segmentation.organ.encode()
        yield repr((field.offset, field.values.shape, segmentation.model)).encode()
        yield np.packbits(field.mask).tobytes()


def _slices_of(field: ProbabilityField) -> NDArray[np.intp]:
    """CT slices on which a mask has voxels."""
    return np.asarray(np.flatnonzero(field.mask.any(axis=(1, 2))) + field.offset[0])


def _template(
    present: Sequence[Segmentation],
    fields: Sequence[ProbabilityField],
    source: Source,
    grid: Grid,
    specs: Mapping[str, RoiSpec],
    *,
    uid: UID,
    provenance: Provenance,
) -> hd.seg.Segmentation:
    """A SEG with all frames and placeholder pixels: one column of a row per segment."""
    slices = np.unique(np.concatenate([_slices_of(field) for field in fields]))
    marks = np.zeros((len(slices), 8, -(-len(fields) // 8) * 8), dtype=np.uint8)
    for number, field in enumerate(fields, start=1):
        marks[np.isin(slices, _slices_of(field)), 0, number - 1] = number
    return hd.seg.Segmentation(
        source_images=[_source_image(source, grid, int(k), marks.shape[1:]) for k in slices],
        pixel_array=marks,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _description(number, segmentation, specs[segmentation.organ], uid, provenance.origin)
            for number, segmentation in enumerate(present, start=1)
        ],
        series_instance_uid=derived_uid("SEG series", uid),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer=SOFTWARE,
        manufacturer_model_name=SOFTWARE,
        software_versions=ascii_text(provenance.version, 64),
        device_serial_number=ascii_text(provenance.version, 64),
        content_label="OARFLOW",
        content_description=(
            f"{provenance.origin.capitalize()} contours, not approved, for research use"
        ),
        content_creator_name=f"{SOFTWARE}^",
        transfer_syntax_uid=ImplicitVRLittleEndian,
    )


def _source_image(source: Source, grid: Grid, k: int, matrix: tuple[int, ...]) -> Dataset:
    """A CT slice's elements for highdicom, in the grid's orientation, without patient data."""
    image = Dataset()
    for keyword in _NEUTRAL:
        setattr(image, keyword, "")
    image.StudyInstanceUID = source.study_uid
    image.SeriesInstanceUID = source.series_uid
    image.FrameOfReferenceUID = source.frame_of_reference_uid
    image.SOPClassUID = source.sop_class_uid
    image.SOPInstanceUID = source.sop_instance_uids[k]
    image.Modality = "CT"
    image.Rows, image.Columns = matrix
    image.ImagePositionPatient = _decimals(grid.positions_lps[k])
    image.ImageOrientationPatient = _decimals(np.concatenate((grid.x_direction, grid.y_direction)))
    image.PixelSpacing = _decimals(np.array(grid.spacing_yx))
    image.SliceThickness = format_ds(float(grid.slice_thickness_mm[k]))
    return image


def _decimals(values: NDArray[np.float64]) -> list[str]:
    return [format_ds(value) for value in values.tolist()]


def _description(
    number: int, segmentation: Segmentation, spec: RoiSpec, uid: UID, origin: Origin
) -> hd.seg.SegmentDescription:
    code = spec.code or CodedConcept(spec.organ[:16], _OWN_SCHEME, ascii_text(spec.organ, 64))
    model = segmentation.model
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=spec.name,
        segmented_property_category=_sr_code(ANATOMICAL_STRUCTURE),
        segmented_property_type=_sr_code(code),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues(origin.value),
        algorithm_identification=None if origin is Origin.MANUAL else _algorithm(model),
        tracking_uid=derived_uid("SEG segment", uid, spec.organ),
        tracking_id=ascii_text(spec.organ, 64),
        display_color=hd.color.CIELabColor.from_rgb(*spec.colour),
    )
    if code.modifier is not None:
        kind = description.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [code_item(code.modifier)]
    return description


def _algorithm(model: ModelIdentity | None) -> hd.AlgorithmIdentificationSequence:
    ruled = model is not None and model.rule
    return hd.AlgorithmIdentificationSequence(
        name=ascii_text(model.name, 64) if model else SOFTWARE,
        family=codes.DCM.MorphologicalOperations if ruled else codes.DCM.ArtificialIntelligence,
        version=ascii_text(model.version, 64) if model else "unknown",
        source=SOFTWARE,
        parameters={"sha256": ascii_text(model.sha256, 64)} if model else None,
    )


def _sr_code(code: CodedConcept) -> SrCode:
    return SrCode(code.value, code.scheme, code.meaning)


def _set_frames(
    dataset: Dataset, fields: Sequence[ProbabilityField], grid: Grid, source: Source
) -> None:
    """Replace the placeholders by the real masks, frame by frame in the object's order."""
    slice_of = {uid: k for k, uid in enumerate(source.sop_instance_uids)}
    dataset.Rows, dataset.Columns = grid.shape[1:]
    packed = bytearray()
    rest = np.zeros(0, dtype=bool)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        segment = _group(dataset, frame, "SegmentIdentificationSequence")
        number = segment.ReferencedSegmentNumber
        image = _group(dataset, frame, "DerivationImageSequence").SourceImageSequence[0]
        mask = _plane(fields[number - 1], grid, slice_of[image.ReferencedSOPInstanceUID])
        bits = np.concatenate((rest, mask.ravel()))
        whole = len(bits) // 8 * 8
        packed += np.packbits(bits[:whole], bitorder="little").tobytes()
        rest = bits[whole:]
    packed += np.packbits(rest, bitorder="little").tobytes()
    packed += b"\0" * (len(packed) % 2)
    dataset.PixelData = bytes(packed)
    dataset.SegmentsOverlap = "YES" if _overlap(fields) else "NO"


def _group(dataset: Dataset, frame: Dataset, keyword: str) -> Dataset:
    """A functional group of a frame, from the shared groups if it is there."""
    holder = frame if keyword in frame else dataset.SharedFunctionalGroupsSequence[0]
    item: Dataset = holder[keyword].value[0]
    return item


def _plane(field: ProbabilityField, grid: Grid, k: int) -> NDArray[np.bool_]:
    """A mask on one whole CT slice."""
    plane = np.zeros(grid.shape[1:], dtype=bool)
    _, rows, columns = field.box
    plane[rows, columns] = field.values[k - field.offset[0]] >= field.threshold
    return plane


def _overlap(fields: Sequence[ProbabilityField]) -> bool:
    """Whether any voxel belongs to two organs."""
    return any(one.shared_voxels(other) for one, other in combinations(fields, 2))


def _set_run(
    dataset: Dataset, source: Source, provenance: Provenance, when: datetime, uid: UID
) -> None:
    """Set identity from the CT, and times and UIDs from the run instead of highdicom's own."""
    date, time = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
    for kind in ("InstanceCreation", "Content", "Series"):
        setattr(dataset, f"{kind}Date", date)
        setattr(dataset, f"{kind}Time", time)
    organization = derived_uid("SEG dimensions", uid)
    dataset.DimensionOrganizationSequence[0].DimensionOrganizationUID = organization
    for dimension in dataset.DimensionIndexSequence:
        dimension.DimensionOrganizationUID = organization
    dataset.SeriesDescription = f"{SOFTWARE} masks (research use only)"
    dataset.ContributingEquipmentSequence = [equipment_item(source, provenance, when)]
    copy_identity(dataset, source)
    dataset.file_meta = file_meta(str(dataset.SOPClassUID), str(uid))
