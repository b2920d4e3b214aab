"""Geometry and identity straight from the CT files' headers, only for the self-check.

It shares no code with `oarflow.intake` and `oarflow.geometry.Grid`, so that errors there show as
differences.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement

from oarflow.errors import Fault

IDENTITY = (
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
)
"""Elements that the structure set copies unchanged from the CT."""

_GEOMETRY = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
)


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """One CT image's plane.

    position: (3,) centre of the first pixel, LPS mm. along_columns, along_rows: (3,) unit vectors
    of growing column and growing row index. row_mm, column_mm: distance between rows, and between
    columns. identity: raw bytes of the IDENTITY elements, padding stripped.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_uid: str
    position: NDArray[np.float64]
    along_columns: NDArray[np.float64]
    along_rows: NDArray[np.float64]
    row_mm: float
    column_mm: float
    rows: int
    columns: int
    identity: Mapping[str, bytes]

    @property
    def frame(self) -> str:
        """UID of the frame of reference; empty where there is none."""
        return self.identity["FrameOfReferenceUID"].decode("ascii", "replace")

    @property
    def normal(self) -> NDArray[np.float64]:
        """(3,) unit vector at right angles to the image."""
        return np.cross(self.along_columns, self.along_rows)

    def to_pixels(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, 3) patient points to (n, 2) fractional (row, column) and (n,) mm off the plane."""
        relative = points - self.position
        row = relative @ self.along_rows / self.row_mm
        column = relative @ self.along_columns / self.column_mm
        return np.stack((row, column), axis=-1), relative @ self.normal

    def to_patient(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 2) fractional (row, column) to (n, 3) patient points, LPS mm."""
        return np.asarray(
            self.position
            + pixels[:, :1] * self.row_mm * self.along_rows
            + pixels[:, 1:] * self.column_mm * self.along_columns
        )


def read_headers(files: Mapping[str, Path]) -> dict[str, SliceHeader]:
    """Headers of the CT files, by SOP Instance UID.

    Raises Fault where a file cannot be read, has no geometry, or holds another instance.
    """
    return {uid: _header(uid, path) for uid, path in files.items()}


def raw(dataset: Dataset, keyword: str) -> bytes:
    """An element's bytes as in the file, without padding; empty where missing."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in dataset:
        return b""
    element = dataset.get_item(tag)
    if isinstance(element, RawDataElement):
        return bytes(element.value or b"").strip(b"\0 ")
    value = element.value
    if isinstance(value, bytes):
        return value.strip(b"\0 ")
    original = getattr(value, "original_string", None)
    if isinstance(original, bytes):
        return original.strip(b"\0 ")
    parts = value if isinstance(value, (list, pydicom.multival.MultiValue)) else [value]
    return "\\".join("" if part is None else str(part) for part in parts).encode().strip(b"\0 ")


def _header(uid: str, path: Path) -> SliceHeader:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(
                path,
                force=True,
                stop_before_pixels=True,
                specific_tags=[*IDENTITY, *_GEOMETRY],
            )
            identity = {keyword: raw(dataset, keyword) for keyword in IDENTITY}
            orientation = _numbers(dataset, "ImageOrientationPatient", 6)
            row_mm, column_mm = _numbers(dataset, "PixelSpacing", 2)
            header = SliceHeader(
                sop_class_uid=str(dataset.SOPClassUID),
                sop_instance_uid=str(dataset.SOPInstanceUID),
                series_uid=str(dataset.SeriesInstanceUID),
                position=_numbers(dataset, "ImagePositionPatient", 3),
                along_columns=orientation[:3] / np.linalg.norm(orientation[:3]),
                along_rows=orientation[3:] / np.linalg.norm(orientation[3:]),
                row_mm=float(row_mm),
                column_mm=float(column_mm),
                rows=int(dataset.Rows),
                columns=int(dataset.Columns),
                identity=identity,
            )
    except (OSError, ValueError, TypeError, AttributeError, KeyError, NotImplementedError):
        raise Fault("a CT file cannot be read again for the self-check") from None
    if header.sop_instance_uid != uid:
        raise Fault("a CT file holds another instance than when it was first read")
    return header


def _numbers(dataset: Dataset, keyword: str, count: int) -> NDArray[np.float64]:
    numbers = np.array([float(part) for part in raw(dataset, keyword).split(b"\\")])
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise ValueError(keyword)
    return numbers
