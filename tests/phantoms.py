"""Small synthetic CT series as DICOM: an asymmetric body sampled in patient space.

`make_series` gives data sets, which a test may damage; `write_series` writes them to a folder.
The body is defined by patient coordinates, so that every patient position, orientation and spacing
shows the same anatomy.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

Floats = NDArray[np.float64]

ORIENTATIONS: dict[str, tuple[float, ...]] = {
    "HFS": (1, 0, 0, 0, 1, 0),
    "HFP": (-1, 0, 0, 0, -1, 0),
    "HFDR": (0, 1, 0, -1, 0, 0),
    "HFDL": (0, -1, 0, 1, 0, 0),
    "FFS": (-1, 0, 0, 0, 1, 0),
    "FFP": (1, 0, 0, 0, -1, 0),
    "FFDR": (0, -1, 0, -1, 0, 0),
    "FFDL": (0, 1, 0, 1, 0, 0),
}
"""Image Orientation (Patient) of an image seen from the foot of the couch, by Patient Position."""

LEFT_BALL_LPS = (36.0, -18.0, 12.0)
"""Centre, in mm, of the dense ball in the left of the body: the landmark of every phantom."""


def texture(x: Floats, y: Floats, z: Floats) -> Floats:
    """HU to add to tissue, at most 3 either way: no two slices of a real scan are the same."""
    waves = np.sin(0.9 * x + 2.3 * z) + np.sin(1.1 * y - 1.7 * z) + np.sin(0.5 * x * y + z)
    return np.asarray(np.round(waves))


def head(x: Floats, y: Floats, z: Floats) -> Floats:
    """HU of a body-like object at patient coordinates (LPS, mm): no plane of it is a mirror.

    A soft cylinder with a nose in front, a spine behind, an airway and, on the left, a ball.
    """
    hu = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), -1000.0)
    hu[np.broadcast_to((x / 62) ** 2 + (y / 74) ** 2 < 1, hu.shape)] = 40.0
    hu[np.broadcast_to((np.abs(x) < 9) & (y > -86) & (y < -60) & (z > -6), hu.shape)] = -60.0
    hu[np.broadcast_to(x**2 + (y - 38) ** 2 < 12**2, hu.shape)] = 600.0
    hu[np.broadcast_to(x**2 + (y + 12) ** 2 < 8**2, hu.shape)] = -990.0
    cx, cy, cz = LEFT_BALL_LPS
    hu[(x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < 9**2] = 900.0
    return hu + np.where(hu > -900, texture(x, y, z), 0.0)


@dataclass(frozen=True)
class Phantom:
    """What a series is like.

    slices, rows, columns: of the files. spacing_yx: between rows, between columns, mm.
    offsets_mm: of the slices along the normal from the centre; from step_mm where None.
    orientation: overrides the one of the patient position. centre_lps: of the field of view.
    patient_position: None leaves the element out.
    """

    slices: int = 16
    rows: int = 48
    columns: int = 48
    spacing_yx: tuple[float, float] = (4.0, 4.0)
    step_mm: float = 3.0
    offsets_mm: Sequence[float] | None = None
    patient_position: str | None = "HFS"
    orientation: Sequence[float] | None = None
    centre_lps: tuple[float, float, float] = (0.0, 0.0, 0.0)
    anatomy: Callable[[Floats, Floats, Floats], Floats] = head
    slope: float = 1.0
    intercept: float = -1024.0
    signed: bool = False
    bits_stored: int = 12
    transfer_syntax: UID = ExplicitVRLittleEndian
    seed: str = "phantom"
    patient: str = "one"
    tags: Mapping[str, object] = field(default_factory=dict)
    slice_tags: Mapping[int, Mapping[str, object]] = field(default_factory=dict)


def make_series(phantom: Phantom | None = None, /, **changes: Any) -> list[FileDataset]:
    """The series' data sets in ascending order along the normal of their orientation.

    changes: fields of `Phantom`. tags and slice_tags (by index) set elements by keyword; a value
    of None takes the element out.
    """
    values = {**(vars(phantom) if phantom else {}), **changes}
    made = Phantom(**values)
    return [_instance(made, k) for k in range(_count(made))]


def write_series(
    folder: Path, datasets: Sequence[Dataset], *, order: str = "ascending", preamble: bool = True
) -> list[Path]:
    """Write data sets as files and return their paths in the order of `datasets`.

    order: of the file names: "ascending", "descending" or "shuffled". preamble: without it, the
    files are bare data sets without file meta group.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = list(range(len(datasets)))
    if order == "descending":
        numbers.reverse()
    elif order == "shuffled":
        random.Random(1).shuffle(numbers)
    paths = [folder / f"CT.{number:04d}.dcm" for number in numbers]
    for path, dataset in zip(paths, datasets, strict=True):
        write_instance(path, dataset, preamble=preamble)
    return paths


def write_instance(path: Path, dataset: Dataset, *, preamble: bool = True) -> None:
    """Write one data set as a file, with or without preamble and file meta group."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if preamble:
        dataset.save_as(path, enforce_file_format=True)
        return
    bare = Dataset()
    bare.update(dataset)
    bare.save_as(
        path,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )


def _count(phantom: Phantom) -> int:
    return phantom.slices if phantom.offsets_mm is None else len(phantom.offsets_mm)


def _frame(phantom: Phantom) -> tuple[Floats, Floats, Floats]:
    cosines = phantom.orientation or ORIENTATIONS[phantom.patient_position or "HFS"]
    across, down = np.array(cosines[:3], dtype=float), np.array(cosines[3:], dtype=float)
    return across, down, np.cross(across, down)


def _position(phantom: Phantom, k: int) -> Floats:
    """Centre of the first voxel of slice k, in mm."""
    across, down, normal = _frame(phantom)
    offset = (
        (k - (phantom.slices - 1) / 2) * phantom.step_mm
        if phantom.offsets_mm is None
        else phantom.offsets_mm[k]
    )
    half_rows = (phantom.rows - 1) / 2 * phantom.spacing_yx[0]
    half_columns = (phantom.columns - 1) / 2 * phantom.spacing_yx[1]
    centre = np.array(phantom.centre_lps)
    return np.asarray(centre + offset * normal - half_rows * down - half_columns * across)


def _stored(phantom: Phantom, position: Floats) -> NDArray[np.integer]:
    across, down, _ = _frame(phantom)
    rows = np.arange(phantom.rows)[:, None, None] * phantom.spacing_yx[0] * down
    columns = np.arange(phantom.columns)[None, :, None] * phantom.spacing_yx[1] * across
    points = position + rows + columns
    hu = phantom.anatomy(points[..., 0], points[..., 1], points[..., 2])
    values = np.round((hu - phantom.intercept) / phantom.slope)
    return values.astype("<i2" if phantom.signed else "<u2")


def _number(value: float) -> str:
    """A decimal string of at most 16 characters."""
    return f"{value:.10f}"[:16]


def _instance(phantom: Phantom, k: int) -> FileDataset:
    position = _position(phantom, k)
    cosines = phantom.orientation or ORIENTATIONS[phantom.patient_position or "HFS"]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = _uid(phantom, f"instance {k}")
    meta.TransferSyntaxUID = (
        ExplicitVRLittleEndian
        if phantom.transfer_syntax.is_encapsulated
        else phantom.transfer_syntax
    )
    dataset = FileDataset(
        "",
        {},
        file_meta=meta,
        preamble=b"\0" * 128,
        is_implicit_VR=meta.TransferSyntaxUID.is_implicit_VR,
        is_little_endian=meta.TransferSyntaxUID.is_little_endian,
    )
    elements: dict[str, object] = {
        "SpecificCharacterSet": "ISO_IR 100",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyDate": "20200102",
        "SeriesDate": "20200102",
        "StudyTime": "101112",
        "AccessionNumber": "A1",
        "Modality": "CT",
        "Manufacturer": "Phantom works",
        "ReferringPhysicianName": "",
        "SeriesDescription": "Planning CT",
        "PatientName": f"Phantom^{phantom.patient}",
        "PatientID": f"ID {phantom.patient}",
        "PatientBirthDate": "19600304",
        "PatientSex": "O",
        "SliceThickness": _number(phantom.step_mm),
        "KVP": "120",
        "PatientPosition": phantom.patient_position,
        "StudyInstanceUID": _uid(phantom, "study"),
        "SeriesInstanceUID": _uid(phantom, "series"),
        "StudyID": "1",
        "SeriesNumber": "2",
        "AcquisitionNumber": "1",
        "InstanceNumber": str(k + 1),
        "ImagePositionPatient": [_number(value) for value in position],
        "ImageOrientationPatient": [_number(value) for value in cosines],
        "FrameOfReferenceUID": _uid(phantom, "frame of reference"),
        "PositionReferenceIndicator": "",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": phantom.rows,
        "Columns": phantom.columns,
        "PixelSpacing": [_number(value) for value in phantom.spacing_yx],
        "BitsAllocated": 16,
        "BitsStored": 16 if phantom.signed else phantom.bits_stored,
        "HighBit": (16 if phantom.signed else phantom.bits_stored) - 1,
        "PixelRepresentation": int(phantom.signed),
        "RescaleIntercept": _number(phantom.intercept),
        "RescaleSlope": _number(phantom.slope),
        "RescaleType": "HU",
    }
    for keyword, value in {
        **elements,
        **phantom.tags,
        **phantom.slice_tags.get(k, {}),
    }.items():
        if value is not None:
            setattr(dataset, keyword, value)
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CTImageStorage)
    stored = _stored(phantom, position)
    if phantom.transfer_syntax == ExplicitVRBigEndian:
        stored = stored.byteswap()
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    if phantom.transfer_syntax.is_encapsulated:
        dataset.compress(phantom.transfer_syntax, generate_instance_uid=False)
    return dataset


def _uid(phantom: Phantom, what: str) -> UID:
    return generate_uid(entropy_srcs=[phantom.seed, phantom.patient, what])
