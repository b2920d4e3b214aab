"""The CT as all later steps use it, and other images of the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from oarflow.geometry import Grid

IDENTITY_KEYWORDS = (
    "SpecificCharacterSet",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyID",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
)
"""Elements copied unchanged from the CT: patient, study and frame of reference, nothing else."""


@dataclass(frozen=True, eq=False)
class Source:
    """The facts of the CT series that an RTSTRUCT refers to.

    sop_instance_uids: one per slice, in the order of the grid's slices.
    identity: only the elements that are copied from the CT (patient, study, frame of reference,
        SpecificCharacterSet), as the CT wrote them; elements that broke their VR are empty.
    pixel_digest: sha256 (hex) over the raw values of all slices, their rescales and positions.
    patient_age_years: at the study, None where the header gives no credible age.
    """

    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    sop_class_uid: str
    sop_instance_uids: tuple[str, ...]
    identity: Dataset
    pixel_digest: str
    patient_age_years: float | None = None


@dataclass(frozen=True, eq=False)
class Image:
    """An image of the patient beside the CT, such as an MR or a dose, on its own grid.

    voxels: float32 (z, y, x), in whatever unit it was stored. grid: where they lie in patient
    space; its axes may be oblique, and its frame need not be registered to the CT's.

    Raises ValueError where they do not fit.
    """

    voxels: NDArray[np.float32]
    grid: Grid

    def __post_init__(self) -> None:
        if self.voxels.shape != self.grid.shape:
            raise ValueError(f"voxels {self.voxels.shape} do not fit the grid {self.grid.shape}")


@dataclass(frozen=True, eq=False)
class Volume:
    """A CT in HU on its own slices.

    hu: float32 (z, y, x). For near-axial series x grows to the patient's left, y to the back and
        z to the head, in whatever order the files are stored; any other series keeps its own rows
        and columns, z ascending along their normal.
    """

    hu: NDArray[np.float32]
    grid: Grid
    source: Source

    def __post_init__(self) -> None:
        if self.hu.shape != self.grid.shape:
            raise ValueError(f"voxels {self.hu.shape} do not fit the grid {self.grid.shape}")
        if len(self.source.sop_instance_uids) != self.grid.shape[0]:
            raise ValueError("one SOP Instance UID per slice is needed")
