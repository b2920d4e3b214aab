"""An RTDOSE whose dose is known in closed form at every point of the patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage, generate_uid

ROWS, COLUMNS = 6, 7
SPACING = (3.0, 2.0)
"""Distance between rows, between columns, in mm."""

SCALING_GY = 1e-6


def dose_gy(points_lps: ArrayLike) -> NDArray[np.float64]:
    """Dose at points (..., 3) in mm: linear, and different along every axis."""
    return np.asarray(40 + np.asarray(points_lps) @ (0.01, 0.03, 0.1))


def write_rtdose(
    path: Path,
    orientation: Sequence[float],
    first_lps: Sequence[float],
    offsets: Sequence[float],
    frames_lps: ArrayLike,
    **changes: object,
) -> None:
    """Write the dose on frames whose first voxels lie at frames_lps (n, 3).

    first_lps, offsets: Image Position (Patient) and Grid Frame Offset Vector, as they are written.
    changes: attributes that are set last; None removes one.
    """
    x, y = np.reshape(orientation, (2, 3))
    rows, columns = np.indices((ROWS, COLUMNS), dtype=np.float64)
    plane = rows[..., None] * SPACING[0] * y + columns[..., None] * SPACING[1] * x
    values = dose_gy(np.asarray(frames_lps)[:, None, None, :] + plane)
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = RTDoseStorage, generate_uid()
    ds.Modality, ds.DoseUnits, ds.DoseType, ds.DoseSummationType = (
        "RTDOSE",
        "GY",
        "PHYSICAL",
        "PLAN",
    )
    ds.FrameOfReferenceUID = "1.2.3"
    ds.DoseGridScaling = str(SCALING_GY)
    ds.ImageOrientationPatient, ds.ImagePositionPatient = list(orientation), list(first_lps)
    ds.PixelSpacing, ds.Rows, ds.Columns = list(SPACING), ROWS, COLUMNS
    ds.NumberOfFrames, ds.GridFrameOffsetVector = len(values), list(offsets)
    ds.FrameIncrementPointer = 0x3004000C
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 32, 32, 31, 0
    ds.PixelData = np.rint(values / SCALING_GY).astype("<u4").tobytes()
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(path, ds, enforce_file_format=True)
