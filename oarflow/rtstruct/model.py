"""The data model of a structure set, for writing and reading."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from oarflow.rtstruct.specs import CodedConcept
from oarflow.structures import ModelIdentity


class GeometricType(StrEnum):
    """Contour geometric types that OARflow writes or fills (PS3.3 C.8.8.6.3)."""

    CLOSED_PLANAR = "CLOSED_PLANAR"
    XOR = "CLOSEDPLANAR_XOR"
    OPEN_PLANAR = "OPEN_PLANAR"
    OPEN_NONPLANAR = "OPEN_NONPLANAR"
    POINT = "POINT"


@dataclass(frozen=True, eq=False)
class Contour:
    """One ring on one slice.

    points_lps: (n, 3) float64 (x, y, z) mm, the last point not repeating the first.
    sop_instance_uid: the image it lies on; None where a read file names none.
    """

    points_lps: NDArray[np.float64]
    sop_instance_uid: str | None
    type: GeometricType = GeometricType.CLOSED_PLANAR


@dataclass(frozen=True, eq=False)
class Roi:
    """One region of interest with its contours, in writing order.

    number: 1..n, unique. name: in the planning system. organ: catalogue name, or None.
    code: of the organ. model: the network that made it; None where unknown. algorithm: the origin,
        a value of `Origin`, "" where unknown; None: that of the provenance.
    frames_of_reference: UIDs of the region's frames in a read file: its own, and those of the
        images that its contours name. Several if the file contradicts itself, else at most one.
    """

    number: int
    name: str
    contours: tuple[Contour, ...]
    organ: str | None = None
    colour: tuple[int, int, int] = (255, 255, 0)
    description: str = ""
    interpreted_type: str = "ORGAN"
    algorithm: str | None = None
    code: CodedConcept | None = None
    model: ModelIdentity | None = None
    frames_of_reference: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class StructureSet:
    """All regions of one structure set.

    frame_of_reference_uid: of most regions; None where a read file has none. warnings: sentences
    about all regions, for the structure set's description; empty for a read file.
    """

    label: str
    rois: tuple[Roi, ...]
    frame_of_reference_uid: str | None
    referenced_instance_uids: frozenset[str]
    warnings: tuple[str, ...] = ()
