"""The patient's body in a coarse CT, without couch, mask or clips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.types import Mask

PIECE_SHARE = 0.01
"""Pieces smaller than this share of the patient's volume are not part of a patient."""

BODY_ROOM = 2
"""The body is grown by this many coarse voxels, so that it includes the skin."""

_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def body_parts(dense: Mask) -> NDArray[np.uint8]:
    """Label a mask of dense voxels (z, y, x): 2 the patient, 1 other large pieces, 0 the rest.

    Networks that learned from CTs masked to the body mistake isolated objects in air, such as clips
    on the couch, for organs. The patient is the largest piece after a morphological opening that
    removes thin plates, with its cavities. Scans cut to a region have several large pieces.
    """
    labels, count = ndimage.label(ndimage.binary_opening(dense, _NEIGHBOURS), _NEIGHBOURS)
    if count == 0:
        return np.full(dense.shape, 2, dtype=np.uint8)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    large = np.flatnonzero(sizes >= PIECE_SHARE * sizes.max())
    pieces = _with_cavities(np.isin(labels, large[large > 0])).astype(np.uint8)
    pieces[_with_cavities(labels == sizes.argmax())] = 2
    return pieces


def _with_cavities(mask: Mask) -> Mask:
    grown = ndimage.binary_dilation(mask, iterations=BODY_ROOM)
    return np.stack([ndimage.binary_fill_holes(plane) for plane in grown])
