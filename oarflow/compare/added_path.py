"""Added path length: how much outline a person must draw to correct a contour."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from oarflow.compare.overlap import require_alike
from oarflow.types import Mask, Spacing


def added_path_length(
    mask: Mask, reference: Mask, spacing_zyx: Spacing, tolerance_mm: float = 0.0
) -> float:
    """Length of outline, in mm, that a person must draw to turn the mask into the reference.

    It counts the pixels of the reference's outline on each axial slice that are not within the
    tolerance of the mask's outline. An outline pixel is inside and has one of its four neighbours
    outside. Each pixel counts as the mean of row and column distance (after Vaassen et al. 2020).
    For an empty mask the result is the reference's whole outline; for an empty reference it is 0.
    """
    require_alike(mask, reference)
    pixel = (spacing_zyx[1] + spacing_zyx[2]) / 2
    added = 0
    for k in np.flatnonzero(reference.any(axis=(1, 2))):
        wanted, drawn = _outline(reference[k]), _outline(mask[k])
        if not drawn.any():
            added += int(np.count_nonzero(wanted))
            continue
        away = ndimage.distance_transform_edt(~drawn, sampling=spacing_zyx[1:])
        added += int(np.count_nonzero(wanted & (np.asarray(away) > tolerance_mm)))
    return added * pixel


def _outline(plane: Mask) -> Mask:
    return np.asarray(plane & ~ndimage.binary_erosion(plane))
