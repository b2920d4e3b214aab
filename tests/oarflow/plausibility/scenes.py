"""Balls in a field of soft tissue: contours whose facts are known by formula."""

from __future__ import annotations

import math

import numpy as np
from pydicom import Dataset

from oarflow.geometry import Grid
from oarflow.organs import load_catalogue
from oarflow.structures import Localization, ProbabilityField, Segmentation, Status
from oarflow.volume import Source, Volume

CATALOGUE = load_catalogue()
SHAPE = (60, 150, 150)
GRID = Grid(
    np.array([-150.0, -150.0, 0.0]) + np.arange(SHAPE[0])[:, None] * (0, 0, 3.0),
    np.array([1.0, 0, 0]),
    np.array([0, 1.0, 0]),
    (2.0, 2.0),
    SHAPE,
)
HALF_MM = 20.0
"""Reach of a field about its ball's centre."""

Point = tuple[float, float, float]


def volume(hu: float = 0.0, age_years: float | None = None) -> Volume:
    """The same HU everywhere."""
    uids = tuple(f"1.2.3.{k + 1}" for k in range(SHAPE[0]))
    source = Source("1.2.1", "1.2.2", "1.2.4", "1.2.5", uids, Dataset(), "", age_years)
    return Volume(np.full(SHAPE, hu, dtype=np.float32), GRID, source)


def ball(
    organ: str,
    centre: Point,
    radius_mm: float = 15.0,
    *,
    sure: float = 0.95,
    status: Status = Status.SEGMENTED,
    localized: Point | None = None,
    clipped: bool = False,
) -> Segmentation:
    """A ball about a centre (x, y, z) in LPS mm, of one probability inside and 0.05 outside."""
    reach = max(HALF_MM, radius_mm + 6.0)
    low = np.floor(GRID.patient_to_index(np.asarray(centre) - reach)).astype(int)
    high = np.ceil(GRID.patient_to_index(np.asarray(centre) + reach)).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, SHAPE)
    z, y, x = np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij")
    points = GRID.index_to_patient(np.stack((z, y, x), -1))
    inside = np.linalg.norm(points - np.asarray(centre), axis=-1) <= radius_mm
    values = np.where(inside, sure, 0.05).astype(np.float32)
    offset = (int(low[0]), int(low[1]), int(low[2]))
    seen = localized or centre
    first = math.ceil((seen[2] - radius_mm) / 3.0)
    last = math.floor((seen[2] + radius_mm) / 3.0)
    found = Localization(
        organ, True, 0.9, seen, (2 * radius_mm,) * 3, (max(first, 0), min(last, SHAPE[0] - 1))
    )
    return Segmentation(
        organ,
        status,
        ProbabilityField(values, offset, 0.5, clipped),
        volume_cc=float(inside.sum()) * 12 / 1000,
        slices=int(inside.any(axis=(1, 2)).sum()),
        localization=found,
    )
