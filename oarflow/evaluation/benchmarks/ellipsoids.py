"""Bodies that formulas give exactly: their fields, and a CT series that they lie on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField
from oarflow.volume import Source

SHAPE = (200, 512, 512)
STEP_MM = 3.0
PIXEL_MM = 1.0
FIRST_LPS = (-255.5, -255.5, -300.0)
ORGANS = 41
SOFTNESS_MM = 2.0
"""Width across its surface over which an ellipsoid's probability falls from 1 to 0."""


@dataclass(frozen=True)
class Ellipsoid:
    """A body by formula: centre and half axes (z, y, x) in mm from voxel (0, 0, 0)."""

    name: str
    centre: tuple[float, float, float]
    half: tuple[float, float, float]


def ellipsoids(seed: int = 41) -> list[Ellipsoid]:
    """Ellipsoids of many sizes, all inside the volume, off the grid."""
    rng = np.random.default_rng(seed)
    extent = np.array(SHAPE) * (STEP_MM, PIXEL_MM, PIXEL_MM)
    found = []
    for number in range(1, ORGANS + 1):
        half = rng.uniform((15, 4, 4), (290, 60, 60))
        centre = rng.uniform(half + 5, extent - half - 10)
        found.append(Ellipsoid(f"Organ_{number:02d}", tuple(centre.tolist()), tuple(half.tolist())))
    return found


def field_of(body: Ellipsoid) -> ProbabilityField:
    """The probability of a body, cropped to where it is not zero."""
    steps = np.array((STEP_MM, PIXEL_MM, PIXEL_MM))
    centre, half = np.array(body.centre), np.array(body.half)
    low = np.maximum(np.floor((centre - half - SOFTNESS_MM) / steps), 0).astype(int)
    high = np.minimum(np.ceil((centre + half + SOFTNESS_MM) / steps) + 1, SHAPE).astype(int)
    axes = [np.arange(a, b) * step for a, b, step in zip(low, high, steps, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    ratio = np.sqrt(
        ((z - centre[0]) / half[0]) ** 2
        + ((y - centre[1]) / half[1]) ** 2
        + ((x - centre[2]) / half[2]) ** 2
    )
    values = np.clip(0.5 + (1 - ratio) * half[1:].min() / SOFTNESS_MM, 0, 1)
    return ProbabilityField(values.astype(np.float32), (int(low[0]), int(low[1]), int(low[2])))


def write_inputs(folder: Path, bodies: list[Ellipsoid]) -> None:
    """CT slices in `ct`, fields in `fields`, one file each."""
    for name in ("ct", "fields"):
        (folder / name).mkdir()
    for k in range(SHAPE[0]):
        dcmwrite(folder / "ct" / f"{k:03d}.dcm", _ct_slice(k), enforce_file_format=True)
    for body in bodies:
        field = field_of(body)
        np.savez(
            folder / "fields" / f"{body.name}.npz",
            values=field.values,
            offset=np.array(field.offset),
            shape=np.array(SHAPE),
        )


def _ct_slice(k: int) -> Dataset:
    slice_ = Dataset()
    slice_.SOPClassUID = CTImageStorage
    slice_.SOPInstanceUID = f"1.2.3.4.{k + 1}"
    slice_.StudyInstanceUID, slice_.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
    slice_.FrameOfReferenceUID = "1.2.3.3"
    slice_.Modality, slice_.PatientName, slice_.PatientID = "CT", "Ellipsoid^Test", "0"
    slice_.StudyDate = slice_.StudyTime = slice_.PatientBirthDate = slice_.PatientSex = ""
    slice_.StudyID, slice_.SeriesNumber, slice_.InstanceNumber = "1", 1, k + 1
    slice_.ImagePositionPatient = [FIRST_LPS[0], FIRST_LPS[1], FIRST_LPS[2] + k * STEP_MM]
    slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    slice_.PixelSpacing, slice_.SliceThickness = [PIXEL_MM, PIXEL_MM], STEP_MM
    slice_.Rows, slice_.Columns = SHAPE[1:]
    slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
    slice_.BitsAllocated = slice_.BitsStored = 16
    slice_.HighBit, slice_.PixelRepresentation = 15, 1
    slice_.RescaleSlope, slice_.RescaleIntercept = 1, 0
    slice_.PixelData = bytes(2 * SHAPE[1] * SHAPE[2])
    slice_.file_meta = FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return slice_


def source_and_grid() -> tuple[Source, Grid]:
    """What the intake gives of the series."""
    identity = Dataset()
    identity.PatientName, identity.PatientID = "Ellipsoid^Test", "0"
    uids = tuple(f"1.2.3.4.{k + 1}" for k in range(SHAPE[0]))
    source = Source("1.2.3.1", "1.2.3.2", "1.2.3.3", str(CTImageStorage), uids, identity, "0" * 64)
    offsets = np.arange(SHAPE[0])[:, None] * np.array((0.0, 0.0, STEP_MM))
    grid = Grid(
        np.array(FIRST_LPS) + offsets,
        np.array((1.0, 0.0, 0.0)),
        np.array((0.0, 1.0, 0.0)),
        (PIXEL_MM, PIXEL_MM),
        SHAPE,
    )
    return source, grid
