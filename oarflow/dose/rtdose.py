"""DICOM RTDOSE as an image in Gy, and the choice of the plan's RTDOSE in a folder."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RTDoseStorage,
)

from oarflow.dose.planes import plane_distances
from oarflow.geometry import Grid
from oarflow.volume import Image

LARGEST = 2**28
"""Voxels beyond this count are refused."""

DOSE_TYPES = ("PHYSICAL", "EFFECTIVE")
"""Accepted Dose Types; the standard's third, ERROR, is a difference of two doses."""

WHOLE = ("PLAN", "MULTI_PLAN")
"""Dose summation types of a whole plan, or of several plans together."""

PARTS = (
    *("BEAM", "BEAM_SESSION", "BRACHY", "BRACHY_SESSION", "CONTROL_POINT", "FRACTION"),
    *("FRACTION_SESSION", "PLAN_OVERVIEW", "RECORD"),
)
"""The standard's other summation types."""

_ATTRIBUTES = (
    *("SOPClassUID", "FrameOfReferenceUID", "DoseUnits", "DoseType", "DoseSummationType"),
    *("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "GridFrameOffsetVector"),
    *("NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "DoseGridScaling"),
    *("PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
)


@dataclass(frozen=True, eq=False)
class Dose(Image):
    """A dose in Gy.

    kind: one of `DOSE_TYPES`. frame: UID of its frame of reference; None for none. remarks: facts
    that a reader of its figures should check.
    """

    kind: str = DOSE_TYPES[0]
    frame: str | None = None
    remarks: tuple[str, ...] = ()


def read_rtdose(path: Path) -> Dose:
    """An RTDOSE's grid in Gy; frames ascend along the normal, and may be unevenly spaced.

    Raises ValueError where it is no physical or effective dose in Gy, or its dose or geometry is
    ambiguous.
    """
    dataset = _read(path, _ATTRIBUTES)
    kind = _kind(dataset)
    frame = str(dataset.get("FrameOfReferenceUID") or "") or None
    grid, order, remark = _grid(dataset)
    gy = _values(dataset, grid.shape)[order] * _scaling(dataset)
    if not gy.any():
        raise ValueError("the RTDOSE holds no dose: all its values are zero")
    remarks = _remarks(_summation(dataset), frame) + ((remark,) if remark else ())
    return Dose(gy.astype(np.float32), grid, kind, frame, remarks)


def plan_dose(paths: Iterable[Path]) -> Dose:
    """The dose of a whole plan, or of several plans together, among a folder's RTDOSE.

    An RTDOSE without a summation type counts as a plan's. Raises ValueError unless there is exactly
    one.
    """
    types = {path: _summation(_read(path, ["DoseSummationType"])) for path in paths}
    whole = [path for path, kind in types.items() if not kind or kind in WHOLE]
    if len(whole) != 1:
        known = (*WHOLE, *PARTS)
        counts = Counter(kind if kind in known else "of no known type" for kind in types.values())
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        found = f" (there are: {listed})" if listed else ""
        raise ValueError(f"{len(whole)} RTDOSE of a whole plan{found}; leave exactly one")
    return read_rtdose(whole[0])


def _read(path: Path, keywords: Sequence[str]) -> Dataset:
    """These attributes of a file; without meta information, the encoding is guessed."""
    try:
        with warnings.catch_warnings(action="ignore"):  # pydicom's warnings quote values
            dataset = dcmread(path, force=True, specific_tags=list(keywords))
            for _ in dataset:  # each value is decoded when it is asked for
                pass
            if "TransferSyntaxUID" not in dataset.file_meta:
                implicit, little = dataset.original_encoding
                explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
                dataset.file_meta.TransferSyntaxUID = (
                    ImplicitVRLittleEndian if implicit else explicit
                )
    except Exception as error:  # pydicom raises many kinds on damaged files
        raise ValueError("the RTDOSE is damaged") from error
    return dataset


def _summation(dataset: Dataset) -> str:
    return str(dataset.get("DoseSummationType") or "").strip().upper()


def _remarks(summation: str, frame: str | None) -> tuple[str, ...]:
    found = []
    if not summation:
        found.append("it does not say whether it is the dose of a whole plan")
    elif summation == "MULTI_PLAN":
        found.append("it sums several plans (MULTI_PLAN)")
    if frame is None:
        found.append("it names no frame of reference; check the place of the dose")
    return tuple(found)


def _kind(dataset: Dataset) -> str:
    """The Dose Type, one of `DOSE_TYPES`. Raises ValueError."""
    if dataset.get("SOPClassUID") != RTDoseStorage:
        raise ValueError("it is not an RTDOSE")
    if str(dataset.get("DoseUnits") or "").strip().upper() != "GY":
        raise ValueError("the RTDOSE's unit is not Gy")
    kind = str(dataset.get("DoseType") or "").strip().upper()
    if kind not in DOSE_TYPES:
        raise ValueError(f"the RTDOSE's type is none of {', '.join(DOSE_TYPES)}")
    return kind


def _grid(dataset: Dataset) -> tuple[Grid, NDArray[np.intp], str]:
    """The grid, the order of frames along the normal, and a remark on them, or ""."""
    x, y = _numbers(dataset, "ImageOrientationPatient", 6).reshape(2, 3)
    first = _numbers(dataset, "ImagePositionPatient", 3)
    rows_mm, columns_mm = _numbers(dataset, "PixelSpacing", 2).tolist()
    frames = _integer(dataset, "NumberOfFrames", 1)
    shape = (frames, _integer(dataset, "Rows"), _integer(dataset, "Columns"))
    if np.prod(shape, dtype=np.float64) > LARGEST:
        raise ValueError(f"the RTDOSE has {frames} frames: too many voxels to be read")
    normal = np.cross(x, y)
    offsets = np.zeros(1)
    if frames > 1 or dataset.get("GridFrameOffsetVector") not in (None, ""):
        offsets = _numbers(dataset, "GridFrameOffsetVector", frames)
        along, remark = plane_distances(offsets, float(first[2]), normal)
    else:
        along, remark = offsets, ""
    order = np.argsort(along)
    try:
        positions = first + along[order][:, None] * normal
        grid = Grid(positions, x, y, (rows_mm, columns_mm), shape)
    except ValueError as error:
        raise ValueError(f"the RTDOSE has no grid: {error}") from None
    return grid, order, remark


def _numbers(dataset: Dataset, keyword: str, count: int) -> NDArray[np.float64]:
    """An attribute's values (count,). Raises ValueError for any other number of values."""
    try:
        values = np.atleast_1d(np.asarray(dataset.get(keyword), dtype=np.float64))
    except (ValueError, TypeError):
        values = np.empty(0)
    finite = int(np.isfinite(values).sum())
    if values.shape != (count,) or finite != count:
        raise ValueError(
            f"the RTDOSE's {keyword} holds {finite} numbers, which do not fit: it needs {count}"
        )
    return values


def _integer(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    """An attribute's value, or the default where it is missing or empty. Raises ValueError."""
    value = dataset.get(keyword)
    if value in (None, "") and default is not None:
        return default
    try:
        return int(value)
    except (ValueError, TypeError):
        raise ValueError(f"the RTDOSE's {keyword} is missing or no whole number") from None


def _scaling(dataset: Dataset) -> float:
    """Gy of one stored unit."""
    scaling = float(_numbers(dataset, "DoseGridScaling", 1)[0])
    if scaling <= 0:
        raise ValueError(f"the RTDOSE's DoseGridScaling is {scaling:g}, and must be above zero")
    return scaling


def _values(dataset: Dataset, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """Stored values (frames, rows, columns), not yet in Gy."""
    if "PixelData" not in dataset:
        raise ValueError("the RTDOSE has no pixel data; it may hold volume histograms alone")
    bits = _integer(dataset, "BitsStored")
    high_bit = _integer(dataset, "HighBit", bits - 1)
    frame_bytes = shape[1] * shape[2] * _integer(dataset, "BitsAllocated") // 8
    held = dataset["PixelData"]
    if not held.is_undefined_length and len(held.value) >= (shape[0] + 1) * frame_bytes:
        raise ValueError(f"the RTDOSE holds more than the {shape[0]} frames that it counts")
    try:
        with warnings.catch_warnings(action="ignore"):
            # Unused bits stay for now; the code below decides whether they are dose.
            values = pixel_array(dataset, raw=True, correct_unused_bits=False).reshape(shape)
    except Exception as error:  # decoders raise many kinds on damaged input
        raise ValueError(
            f"the RTDOSE's pixel data cannot be decoded ({type(error).__name__})"
        ) from error
    if values.min() < 0:
        raise ValueError("the RTDOSE holds negative dose")
    used = bits - _integer(dataset, "PixelRepresentation")
    if high_bit != bits - 1 or int(values.max()) >= 2**used:
        raise ValueError(
            f"the RTDOSE's pixels use other bits than the {bits} below its high bit ({high_bit})"
        )
    return values.astype(np.float64)
