"""A case as a DICOM CT series, in any patient position, with an identity that is plainly invented.

The voxels keep their place in patient space in every position: a feet-first or prone series is
what a scanner would have written of the same patient lying the other way. All UIDs follow from
the case's content and position, so that the same case gives the same files.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from oarflow.datasets.cases import Case
from oarflow.rtstruct.decimal_strings import format_ds
from oarflow.rtstruct.provenance import IMPLEMENTATION_CLASS_UID, derived_uid

INTERCEPT_HU = -1024
"""Rescale intercept of the series: stored values of air are 0, as scanners write them."""

STUDY_DATE = "20000101"
"""Date of every invented study."""

MODEL_NAME = "datasets.as_dicom"
"""Manufacturer's Model Name, also in the sample: a new name would change the sample's bytes."""


class PatientPosition(StrEnum):
    """How the patient lies, in DICOM's terms (head or feet first; supine, prone, decubitus)."""

    HFS = "HFS"
    HFP = "HFP"
    HFDR = "HFDR"
    HFDL = "HFDL"
    FFS = "FFS"
    FFP = "FFP"
    FFDR = "FFDR"
    FFDL = "FFDL"


ORIENTATIONS: dict[PatientPosition, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    PatientPosition.HFS: ((1, 0, 0), (0, 1, 0)),
    PatientPosition.HFP: ((-1, 0, 0), (0, -1, 0)),
    PatientPosition.HFDR: ((0, 1, 0), (-1, 0, 0)),
    PatientPosition.HFDL: ((0, -1, 0), (1, 0, 0)),
    PatientPosition.FFS: ((-1, 0, 0), (0, 1, 0)),
    PatientPosition.FFP: ((1, 0, 0), (0, -1, 0)),
    PatientPosition.FFDR: ((0, -1, 0), (-1, 0, 0)),
    PatientPosition.FFDL: ((0, 1, 0), (1, 0, 0)),
}
"""Directions (x, y, z) LPS of growing column and growing row index: a column runs toward the
floor, and the normal from the first slice into the bore (head for head first, else feet)."""


def write_ct(case: Case, folder: Path, position: str = "HFS") -> tuple[Path, ...]:
    """Write the case as an axial CT series of int16, one file a slice, `ct0001.dcm` and so on.

    folder: made where needed; must hold no file. position: see `PatientPosition`; slices are
    numbered in the order in which the table brings them.

    Raises ValueError for an unknown position or HU beyond int16, FileExistsError for a folder in
    use.
    """
    way = PatientPosition(position)
    stored = _stored(case)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    common = _common(case, way, stored)
    ascending = range(len(stored))
    order = ascending if way.value.startswith("HF") else ascending[::-1]
    paths = []
    for number, k in enumerate(order, start=1):
        pixels, corner = _turned(stored[k], way)
        first = case.grid.index_to_patient((k, *corner))
        dataset = _slice(common, number, pixels, first)
        path = folder / f"ct{number:04d}.dcm"
        dcmwrite(path, dataset, enforce_file_format=True)
        paths.append(path)
    return tuple(paths)


def _stored(case: Case) -> NDArray[np.int16]:
    values = np.rint(np.asarray(case.ct, dtype=np.float64)) - INTERCEPT_HU
    limits = np.iinfo(np.int16)
    if values.min() < limits.min or values.max() > limits.max:
        raise ValueError(f"case {case.id}: HU beyond what 16 bits hold")
    return values.astype(np.int16)


def _turned(
    plane: NDArray[np.int16], way: PatientPosition
) -> tuple[NDArray[np.int16], tuple[int, int]]:
    """A canonical plane (y, x) as the position shows it, and the (y, x) of its first voxel."""
    across, down = ORIENTATIONS[way]
    pixels = plane.T if across[0] == 0 else plane
    if sum(down) < 0:
        pixels = pixels[::-1]
    if sum(across) < 0:
        pixels = pixels[:, ::-1]
    rows, columns = plane.shape
    y = rows - 1 if -1 in (across[1], down[1]) else 0
    x = columns - 1 if -1 in (across[0], down[0]) else 0
    return np.ascontiguousarray(pixels), (y, x)


def _slice(
    common: Dataset, number: int, pixels: NDArray[np.int16], first: NDArray[np.float64]
) -> Dataset:
    dataset = Dataset()
    dataset.update(common)
    dataset.SOPInstanceUID = derived_uid("instance", common.SeriesInstanceUID, str(number))
    dataset.InstanceNumber = number
    dataset.ImagePositionPatient = [format_ds(float(mm)) for mm in first]
    dataset.SliceLocation = format_ds(float(first[2]))
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = pixels.astype("<i2").tobytes()
    dataset.file_meta = _meta(dataset.SOPInstanceUID)
    return dataset


def _meta(sop_instance_uid: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = sop_instance_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    return meta


def _common(case: Case, way: PatientPosition, stored: NDArray[np.int16]) -> Dataset:
    """What all slices share: invented patient and study, equipment, geometry, pixel format."""
    content = (
        case.id,
        way.value,
        repr((case.spacing_zyx, case.origin_lps, stored.shape)),
        stored.tobytes(),
    )
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    dataset.SOPClassUID = CTImageStorage
    dataset.PatientName = f"SYNTHETIC^{case.id}"
    dataset.PatientID = f"SYNTHETIC-{case.id}"
    dataset.PatientBirthDate, dataset.PatientSex = "", ""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Identity invented, geometry and voxels from a data set"
    dataset.StudyInstanceUID = derived_uid("study", *content)
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = STUDY_DATE
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "120000"
    dataset.AcquisitionDate, dataset.AcquisitionTime = STUDY_DATE, "120000"
    dataset.StudyID, dataset.AccessionNumber, dataset.ReferringPhysicianName = "1", "", ""
    dataset.Modality = "CT"
    dataset.SeriesInstanceUID = derived_uid("series", *content)
    dataset.SeriesNumber = 1
    dataset.SeriesDescription = f"{case.id} {way.value}"[:64]
    dataset.Manufacturer = "OARflow"
    dataset.ManufacturerModelName = MODEL_NAME
    dataset.FrameOfReferenceUID = derived_uid("frame", *content)
    dataset.PositionReferenceIndicator = ""
    dataset.AcquisitionNumber = 1
    dataset.KVP = ""
    _add_geometry(dataset, case, way)
    _add_pixel_format(dataset)
    return dataset


def _add_geometry(dataset: Dataset, case: Case, way: PatientPosition) -> None:
    across, down = ORIENTATIONS[way]
    slice_mm, y_mm, x_mm = (format_ds(mm) for mm in case.spacing_zyx)
    dataset.PatientPosition = way.value
    dataset.ImageOrientationPatient = [*across, *down]
    dataset.PixelSpacing = [x_mm, y_mm] if across[0] == 0 else [y_mm, x_mm]
    dataset.SliceThickness = slice_mm
    dataset.BodyPartExamined = "HEADNECK"


def _add_pixel_format(dataset: Dataset) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.RescaleIntercept, dataset.RescaleSlope = INTERCEPT_HU, 1
    dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
