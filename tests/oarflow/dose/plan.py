"""The RTDOSE of a plan in a made-up case, whose dose is a sum of its places along x and z."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage, generate_uid


def rtdose(path: Path, *, reverse: bool = False, absolute: bool = False, **changes: object) -> None:
    """A dose of x + 100 z mGy (mm, LPS) on a grid of 5 x 3 x 4 mm from (-50, -40, 0)."""
    columns, rows, frames = 21, 30, 15
    x = -50 + 5.0 * np.arange(columns)
    z = 4.0 * np.arange(frames)
    values = (x + 50)[None, None, :] + 100 * z[:, None, None] + np.zeros((1, rows, 1))
    offsets = z[::-1] - z[-1] if reverse else z
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = RTDoseStorage, generate_uid()
    dataset.Modality, dataset.DoseUnits, dataset.DoseType = "RTDOSE", "GY", "PHYSICAL"
    dataset.DoseSummationType = "PLAN"
    dataset.DoseGridScaling = "0.001"
    dataset.ImagePositionPatient = [-50, -40, float(z[-1] if reverse else z[0])]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [3, 5]
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = rows, columns, frames
    start = dataset.ImagePositionPatient[2] if absolute else 0
    dataset.GridFrameOffsetVector = (offsets + start).tolist()
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 32, 32, 31
    dataset.PixelRepresentation = 0
    stored = values[::-1] if reverse else values
    dataset.PixelData = np.rint(stored).astype("<u4").tobytes()
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dcmwrite(path, dataset, enforce_file_format=True)
