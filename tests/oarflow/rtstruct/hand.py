"""Grids, sources and fields made by hand: nothing here comes from the code under test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from oarflow.geometry import Grid
from oarflow.rtstruct.model import Contour, GeometricType
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.specs import RoiSpec
from oarflow.structures import ModelIdentity, ProbabilityField, Segmentation, Status
from oarflow.volume import Source

CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MODEL = ModelIdentity("segmenter-parotid", "1.2.0", "c0ffee" + "0" * 58)
PROVENANCE = Provenance("d1" * 32, "cpu", (MODEL,), "9.9.9")


def make_grid(
    shape: tuple[int, int, int] = (9, 64, 64),
    spacing_yx: tuple[float, float] = (1.0, 1.0),
    step_mm: float = 3.0,
    first_lps: tuple[float, float, float] = (-31.7, -40.2, -120.5),
    offsets_mm: Sequence[float] | None = None,
) -> Grid:
    """An axial grid whose slices ascend along z."""
    offsets = np.arange(shape[0]) * step_mm if offsets_mm is None else np.array(offsets_mm)
    positions = np.array(first_lps) + offsets[:, None] * np.array((0.0, 0.0, 1.0))
    return Grid(positions, np.array((1.0, 0, 0)), np.array((0, 1.0, 0)), spacing_yx, shape)


def tilted_grid(degrees: float, shape: tuple[int, int, int] = (9, 64, 64)) -> Grid:
    """Slices turned about the patient's left-right axis."""
    angle = np.deg2rad(degrees)
    y = np.array((0.0, np.cos(angle), np.sin(angle)))
    normal = np.array((0.0, -np.sin(angle), np.cos(angle)))
    positions = np.array((-31.7, -40.2, -120.5)) + np.arange(shape[0])[:, None] * 3.0 * normal
    return Grid(positions, np.array((1.0, 0, 0)), y, (1.0, 1.0), shape)


def make_source(slices: int, identity: Dataset | None = None) -> Source:
    if identity is None:
        identity = Dataset()
        identity.PatientName = "Doe^Jane"
        identity.PatientID = "4711"
        identity.StudyInstanceUID = "1.2.3.1"
        identity.FrameOfReferenceUID = "1.2.3.3"
    return Source(
        study_uid="1.2.3.1",
        series_uid="1.2.3.2",
        frame_of_reference_uid="1.2.3.3",
        sop_class_uid=CT_STORAGE,
        sop_instance_uids=tuple(f"1.2.3.4.{k}" for k in range(1, slices + 1)),
        identity=identity,
        pixel_digest="ab" * 32,
    )


def field_of(
    values: NDArray[np.generic], offset: tuple[int, int, int] = (0, 0, 0)
) -> ProbabilityField:
    return ProbabilityField(np.asarray(values, dtype=np.float32), offset)


def spec(organ: str = "Parotid_L", **changes: object) -> RoiSpec:
    return RoiSpec(**{"organ": organ, "name": organ, "colour": (255, 0, 0), **changes})


def segmentation(organ: str, field: ProbabilityField | None, **changes: object) -> Segmentation:
    return Segmentation(organ, Status.SEGMENTED, field, model=MODEL, **changes)


def shoelace(points: NDArray[np.float64]) -> float:
    """Signed area of an (n, 2) ring."""
    x, y = points.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2


def area(contours: Sequence[Contour]) -> float:
    """Area of axial contours, mm2: outlines less holes where they are written as XOR."""
    areas = [abs(shoelace(contour.points_lps[:, :2])) for contour in contours]
    if all(contour.type is GeometricType.CLOSED_PLANAR for contour in contours):
        return sum(areas)
    raise ValueError("areas of XOR contours do not add up")


def soft(distance_mm: NDArray[np.float64], width_mm: float = 2.0) -> NDArray[np.float32]:
    """Probability that falls from 1 to 0 over a width across the surface; distance inwards."""
    return np.clip(0.5 + distance_mm / width_mm, 0, 1).astype(np.float32)
