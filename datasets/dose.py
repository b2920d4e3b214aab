"""Planned dose: OpenKBP's, and DICOM RTDOSE, as an image in Gy and as values inside a mask."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import RTDoseStorage
from scipy import ndimage

from datasets.cases import Case, Image, Mask
from oarflow.geometry import Grid

LARGEST = 2**28
"""Voxels beyond this count are refused."""

DOSE_TYPES = ("PHYSICAL", "EFFECTIVE")
"""Of RTDOSE that are read; the third of the standard, ERROR, is a difference of two."""


@dataclass(frozen=True, eq=False)
class Dose(Image):
    """A dose in Gy. kind: of `DOSE_TYPES`. frame: UID of its frame of reference; None for none."""

    kind: str = DOSE_TYPES[0]
    frame: str | None = None


def openkbp_dose(folder: Path, case: Case) -> Image:
    """The planned dose of an OpenKBP patient, Gy, on the case's voxels.

    Raises FileNotFoundError where the folder lacks `pt_N.npz`, ValueError where it does not fit.
    """
    with np.load(folder / f"{case.id}.npz") as arrays:
        return Image(np.asarray(arrays["dose_gy"], dtype=np.float32), case.grid)


def read_rtdose(path: Path) -> Dose:
    """An RTDOSE's grid in Gy; frames ascend along the normal, and may be unevenly spaced.

    Raises ValueError where it is no physical or effective dose in Gy of a whole plan.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote values
        try:
            dataset = dcmread(path, force=True)
            if dataset.SOPClassUID != RTDoseStorage:
                raise ValueError("it is no RTDOSE")
            if dataset.DoseUnits != "GY":
                raise ValueError("the RTDOSE's unit is not Gy")
            kind = str(dataset.get("DoseType", "")).strip().upper()
            if kind not in DOSE_TYPES:
                raise ValueError(f"the RTDOSE's type is none of {', '.join(DOSE_TYPES)}")
            grid, order = _grid(dataset)
            values = np.asarray(dataset.pixel_array, dtype=np.float64).reshape(grid.shape)
            scaled = (values[order] * float(dataset.DoseGridScaling)).astype(np.float32)
        except (AttributeError, TypeError, KeyError, IndexError, OSError, InvalidDicomError):
            raise ValueError("the RTDOSE is damaged or lacks its grid") from None
    return Dose(scaled, grid, kind, str(dataset.get("FrameOfReferenceUID", "")) or None)


def plan_dose(paths: Iterable[Path]) -> Dose:
    """The dose of a whole plan among a folder's RTDOSE. Raises ValueError where it is not one."""
    plans = [path for path in paths if _summation(path) in ("PLAN", "")]
    if len(plans) != 1:
        raise ValueError(f"{len(plans)} RTDOSE of a whole plan; leave exactly one")
    return read_rtdose(plans[0])


def dose_inside(dose: Image, mask: Mask, grid: Grid) -> NDArray[np.float64]:
    """(n,) dose in Gy at the centres of a mask's voxels, linear between dose voxels.

    Beyond the dose grid it is 0, as planning systems take it. grid: the mask's.
    """
    if dose.grid is grid:
        return dose.voxels[mask].astype(np.float64)
    points = grid.index_to_patient(np.argwhere(mask))
    index = dose.grid.patient_to_index(points)
    # Points on the outermost voxels' centres must not fall off by rounding.
    last = np.array(dose.voxels.shape) - 1
    near = np.where(np.abs(index - np.clip(index, 0, last)) < 1e-6, np.clip(index, 0, last), index)
    return np.asarray(
        ndimage.map_coordinates(dose.voxels.astype(np.float64), near.T, order=1, cval=0.0)
    )


def _summation(path: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = dcmread(path, force=True, specific_tags=["DoseSummationType"])
    return str(header.get("DoseSummationType", "")).strip().upper()


def _grid(dataset: Dataset) -> tuple[Grid, NDArray[np.intp]]:
    """The grid, and the order that puts its frames along the normal."""
    x, y = np.asarray(dataset.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    normal = np.cross(x, y)
    first = np.asarray(dataset.ImagePositionPatient, dtype=np.float64)
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    given = dataset.get("GridFrameOffsetVector")
    offsets = np.zeros(1) if given is None else np.atleast_1d(np.asarray(given, dtype=np.float64))
    if len(offsets) != frames or frames * int(dataset.Rows) * int(dataset.Columns) > LARGEST:
        raise ValueError("the RTDOSE's frames do not fit its offsets, or are too many")
    # Offsets are relative when the first is zero, else positions along z (PS3.3 C.8.8.3.2).
    along = offsets if offsets[0] == 0 else offsets - first[2]
    order = np.argsort(along)
    spacing = [float(mm) for mm in dataset.PixelSpacing]
    return Grid(
        first + along[order][:, None] * normal,
        x,
        y,
        (spacing[0], spacing[1]),
        (frames, int(dataset.Rows), int(dataset.Columns)),
    ), order
