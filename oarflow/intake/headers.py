"""The header of a CT instance, and checks that a series is complete. No pixels are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydicom import Dataset

from oarflow.intake import elements
from oarflow.intake.character_sets import decoded
from oarflow.intake.limits import (
    END_RUN_STEPS,
    EQUAL_STEP,
    GAP_FACTOR,
    MAX_POSITION_MM,
    MAX_TEXT,
    RUN_STEPS,
    SAME_POSITION_MM,
    STEP_ROUNDING_MM,
    UNIT_TOLERANCE,
)
from oarflow.templates.rules import HEADER_KEYWORDS
from oarflow.types import FloatArray
from oarflow.volume import IDENTITY_KEYWORDS

_OTHER_KEYWORDS = (
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "SeriesDescription",
    "PatientAge",
    "GantryDetectorTilt",
    "PatientPosition",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "ImagesInAcquisition",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "LossyImageCompression",
)

_KEYWORDS = dict.fromkeys((*IDENTITY_KEYWORDS, *_OTHER_KEYWORDS, *HEADER_KEYWORDS.values()))

HEADER_TAGS = tuple(elements.tag_of(keyword) for keyword in _KEYWORDS)
"""The only tags of a header that the intake reads."""


@dataclass(frozen=True)
class InstanceHeader:
    """One instance's header. Missing or invalid values are None; missing texts are empty.

    orientation: direction cosines of growing column, then of growing row index, LPS.
    position_lps: centre of the first voxel, mm. spacing_yx: between rows, between columns, mm.
    media_sop_instance_uid: the instance's UID in the file meta group, empty where there is none.
    padding: range of stored values that mean padding, or None.
    identity: raw bytes of the elements that an RTSTRUCT copies, by keyword, if present.
    texts: what the rules of templates read, by their keys.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    transfer_syntax_uid: str
    media_sop_instance_uid: str
    modality: str
    image_type: tuple[str, ...]
    series_number: str
    series_description: str
    rows: int | None
    columns: int | None
    samples_per_pixel: int | None
    frames: int | None
    bits_allocated: int | None
    bits_stored: int | None
    high_bit: int | None
    signed: bool
    photometric: str
    orientation: tuple[float, ...] | None
    position_lps: tuple[float, ...] | None
    spacing_yx: tuple[float, ...] | None
    slice_thickness_mm: float | None
    slope: float | None
    intercept: float | None
    rescale_type: str
    padding: tuple[int, int] | None
    patient_position: str
    gantry_tilt_degrees: float | None
    patient_age: str
    lossy: bool
    images_in_acquisition: int | None
    identity: Mapping[str, bytes] = field(repr=False)
    texts: Mapping[str, str] = field(repr=False)


def header_of(
    dataset: Dataset, transfer_syntax_uid: str = "", media_sop_instance_uid: str = ""
) -> InstanceHeader:
    """Header of a data set from a file or the network; pixels are not needed."""
    signed = elements.short(dataset, "PixelRepresentation") == 1
    identity = {
        keyword: value
        for keyword in IDENTITY_KEYWORDS
        if (value := elements.raw(dataset, keyword)) is not None
    }
    return InstanceHeader(
        sop_class_uid=elements.text(dataset, "SOPClassUID"),
        sop_instance_uid=elements.uid(dataset, "SOPInstanceUID"),
        study_uid=elements.uid(dataset, "StudyInstanceUID"),
        series_uid=elements.uid(dataset, "SeriesInstanceUID"),
        frame_of_reference_uid=elements.uid(dataset, "FrameOfReferenceUID"),
        transfer_syntax_uid=transfer_syntax_uid,
        media_sop_instance_uid=media_sop_instance_uid,
        modality=elements.text(dataset, "Modality"),
        image_type=tuple(value.upper() for value in elements.texts(dataset, "ImageType")),
        series_number=elements.text(dataset, "SeriesNumber"),
        series_description=elements.text(dataset, "SeriesDescription"),
        rows=elements.short(dataset, "Rows"),
        columns=elements.short(dataset, "Columns"),
        samples_per_pixel=elements.short(dataset, "SamplesPerPixel"),
        frames=elements.integer_text(dataset, "NumberOfFrames"),
        bits_allocated=elements.short(dataset, "BitsAllocated"),
        bits_stored=elements.short(dataset, "BitsStored"),
        high_bit=elements.short(dataset, "HighBit"),
        signed=signed,
        photometric=elements.text(dataset, "PhotometricInterpretation"),
        orientation=_orientation(dataset),
        position_lps=_position(dataset),
        spacing_yx=elements.numbers(dataset, "PixelSpacing", 2),
        slice_thickness_mm=elements.number(dataset, "SliceThickness"),
        slope=elements.number(dataset, "RescaleSlope"),
        intercept=elements.number(dataset, "RescaleIntercept"),
        rescale_type=elements.text(dataset, "RescaleType").upper(),
        padding=_padding(dataset, signed=signed),
        patient_position=elements.text(dataset, "PatientPosition").upper(),
        gantry_tilt_degrees=elements.number(dataset, "GantryDetectorTilt"),
        patient_age=elements.text(dataset, "PatientAge"),
        lossy=elements.text(dataset, "LossyImageCompression") == "01",
        images_in_acquisition=elements.integer_text(dataset, "ImagesInAcquisition"),
        identity=identity,
        texts={key: _decoded(dataset, keyword) for key, keyword in HEADER_KEYWORDS.items()},
    )


def _decoded(dataset: Dataset, keyword: str) -> str:
    """A text in its character set; other characters of an invalid one are replaced."""
    value = elements.raw(dataset, keyword) or b""
    declared = elements.raw(dataset, "SpecificCharacterSet") or b""
    text = decoded(value[: 4 * MAX_TEXT], declared)
    return elements.plain(value) if text is None else text.strip(" \0\t\r\n")


def common_texts(headers: Sequence[InstanceHeader]) -> dict[str, str | None]:
    """The texts of a series by the keys of the rules; None where its slices have different ones."""
    found: dict[str, str | None] = {}
    for key in HEADER_KEYWORDS:
        values = {header.texts[key] for header in headers}
        found[key] = values.pop() if len(values) == 1 else None
    return found


def _orientation(dataset: Dataset) -> tuple[float, ...] | None:
    cosines = elements.numbers(dataset, "ImageOrientationPatient", 6)
    if cosines is None:
        return None
    across, down = np.array(cosines[:3]), np.array(cosines[3:])
    deviations = (np.linalg.norm(across) - 1, np.linalg.norm(down) - 1, across @ down)
    return cosines if max(abs(float(value)) for value in deviations) <= UNIT_TOLERANCE else None


def _position(dataset: Dataset) -> tuple[float, ...] | None:
    position = elements.numbers(dataset, "ImagePositionPatient", 3)
    if position is None or max(abs(value) for value in position) > MAX_POSITION_MM:
        return None
    return position


def _padding(dataset: Dataset, *, signed: bool) -> tuple[int, int] | None:
    value = elements.short(dataset, "PixelPaddingValue", signed=signed)
    if value is None:
        return None
    limit = elements.short(dataset, "PixelPaddingRangeLimit", signed=signed)
    return (value, value) if limit is None else (min(value, limit), max(value, limit))


def common_orientation(headers: Iterable[InstanceHeader]) -> tuple[float, ...]:
    """The median of parallel slices' orientations. Raises ValueError where none has one."""
    written = [header.orientation for header in headers if header.orientation is not None]
    if not written:
        raise ValueError("no slice has an orientation")
    return tuple(float(value) for value in np.median(np.array(written), axis=0))


def frame_of(orientation: Sequence[float]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Orthogonal unit vectors of a valid orientation: growing column, growing row, normal.

    Rounding errors of the written cosines are corrected.
    """
    across = np.array(orientation[:3], dtype=np.float64)
    across /= np.linalg.norm(across)
    down = np.array(orientation[3:], dtype=np.float64)
    down -= (down @ across) * across
    down /= np.linalg.norm(down)
    return across, down, np.cross(across, down)


@dataclass(frozen=True)
class Gap:
    """A distance between slices that is too long.

    after: index of the slice before the gap, along the normal from 0.
    step_mm: the distance. expected_mm: the distance of the neighbouring slices.
    """

    after: int
    step_mm: float
    expected_mm: float


def gaps(headers: Iterable[InstanceHeader]) -> tuple[Gap, ...]:
    """Missing slices inside a series, from the positions only.

    Slices that are missing at an end cannot be detected.
    """
    return gaps_of_steps(steps_mm(headers))


def steps_mm(headers: Iterable[InstanceHeader]) -> FloatArray:
    """(n - 1,) distances in mm between neighbouring slices, in ascending order along the normal.

    Slices at the same position count once. Headers without position or orientation are left out.
    """
    placed = [
        (header.orientation, header.position_lps)
        for header in headers
        if header.orientation is not None and header.position_lps is not None
    ]
    if not placed:
        return np.empty(0)
    normal = frame_of(placed[0][0])[2]
    offsets = np.sort(np.array([position for _, position in placed]) @ normal)
    steps = np.diff(offsets)
    return np.asarray(steps[steps > SAME_POSITION_MM])


def displaced(steps_mm: FloatArray) -> tuple[int, ...]:
    """Indices of slices that are out of place in an otherwise evenly spaced stack.

    The distance before such a slice is too long and the one after it too short by the same amount,
    or the reverse. This shows a damaged position.
    """
    found = []
    for k in range(1, len(steps_mm)):
        around = np.concatenate((steps_mm[max(0, k - 3) : k - 1], steps_mm[k + 1 : k + 3]))
        if len(around) < 2:
            continue
        step = float(around[0])
        middle = float(steps_mm[k - 1] + steps_mm[k]) / 2
        even = [_equal(float(other), step) for other in (*around, middle)]
        if all(even) and not _equal(float(steps_mm[k]), step):
            found.append(k)
    return tuple(found)


def _equal(step_mm: float, reference_mm: float) -> bool:
    return abs(step_mm - reference_mm) <= max(EQUAL_STEP * reference_mm, STEP_ROUNDING_MM)


def gaps_of_steps(steps_mm: FloatArray) -> tuple[Gap, ...]:
    """Gaps among the distances between neighbouring slices, (n - 1,) in mm, in order.

    A run of at least RUN_STEPS equal distances, or END_RUN_STEPS at an end of the stack, is regular
    spacing. Any other distance above GAP_FACTOR times the smaller neighbouring run's is a gap.
    """
    runs = _runs(steps_mm)
    spacing = [
        last - first >= (END_RUN_STEPS if 0 in (first, len(steps_mm) - last) else RUN_STEPS)
        for first, last in runs
    ]
    found = []
    for i, (first, last) in enumerate(runs):
        neighbours = _neighbours(i, spacing)
        if spacing[i] or not neighbours:
            continue
        expected = min(float(steps_mm[slice(*runs[j])].mean()) for j in neighbours)
        found += [
            Gap(k, float(steps_mm[k]), expected)
            for k in range(first, last)
            if steps_mm[k] > GAP_FACTOR * expected
        ]
    return tuple(found)


def _runs(steps_mm: FloatArray) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each longest run of equal distances."""
    runs: list[tuple[int, int]] = []
    for k, step in enumerate(steps_mm):
        if runs and _equal(float(step), float(steps_mm[runs[-1][0]])):
            runs[-1] = (runs[-1][0], k + 1)
        else:
            runs.append((k, k + 1))
    return runs


def _neighbours(i: int, spacing: Sequence[bool]) -> list[int]:
    """The nearest regular runs on both sides; if there are none, the nearest runs."""
    below = [j for j in range(i - 1, -1, -1) if spacing[j]][:1]
    above = [j for j in range(i + 1, len(spacing)) if spacing[j]][:1]
    if below or above:
        return below + above
    return [j for j in (i - 1, i + 1) if 0 <= j < len(spacing)]
