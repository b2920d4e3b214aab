"""Positions of an RTDOSE's frames: both forms of Grid Frame Offset Vector (PS3.3 C.8.8.3.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

OFFSET_TOLERANCE_MM = 0.01
"""Greatest difference, in mm, of the first offset from its required value: rounding."""

TRANSVERSE_TOLERANCE = 1e-3
"""Greatest sine of the angle between the frames' normal and the patient's z axis."""


def plane_distances(
    offsets_mm: NDArray[np.float64], first_z_mm: float, normal: NDArray[np.float64]
) -> tuple[NDArray[np.float64], str]:
    """Distance (n,) of each frame from the first, in mm along the normal; and a remark, or "".

    offsets_mm: (n,), Grid Frame Offset Vector. first_z_mm: z of Image Position (Patient), of the
    first frame. normal: (3,) unit vector, rows' direction cross columns' direction.

    Offsets that begin with zero are relative to the first frame, along the normal. Offsets that
    begin with its z are z coordinates. Raises ValueError for offsets that are neither, and for
    offsets that are not in order.
    """
    steps = np.diff(offsets_mm)
    if len(steps) and not ((steps > 0).all() or (steps < 0).all()):
        wrong = int(np.flatnonzero(steps * steps[0] <= 0)[0])
        raise ValueError(
            "the RTDOSE's frame offsets neither ascend nor descend throughout: "
            f"{offsets_mm[wrong + 1]:g} mm follows {offsets_mm[wrong]:g} mm"
        )
    first = float(offsets_mm[0])
    relative = abs(first) <= OFFSET_TOLERANCE_MM
    absolute = abs(first - first_z_mm) <= OFFSET_TOLERANCE_MM
    if not (relative or absolute):
        raise ValueError(
            f"the RTDOSE's first frame offset is {first:g} mm, neither 0 nor the z of its Image "
            f"Position ({first_z_mm:g} mm): export it with offsets relative to the first frame"
        )
    downward = float(normal[2]) < 0
    if relative:
        both = absolute and downward and len(steps) > 0
        return offsets_mm - first, _BOTH if both else ""
    if len(steps) and float(np.hypot(normal[0], normal[1])) > TRANSVERSE_TOLERANCE:
        raise ValueError(
            "the RTDOSE's frame offsets are z coordinates, but its frames are not transverse: "
            "export it with offsets relative to the first frame"
        )
    along = (offsets_mm - first) * (-1.0 if downward else 1.0)
    return along, _DOWNWARD if downward and len(steps) else ""


_DOWNWARD = (
    "its frame offsets are taken as z coordinates, which the standard does not define for its "
    "orientation; check the place of the dose"
)

_BOTH = (
    "its frame offsets are taken as relative to the first frame, which lies at z = 0; as z "
    "coordinates they would be mirrored; check the place of the dose"
)
