"""Components of an organ's field."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from oarflow.structures import ProbabilityField

_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


def keep_largest(field: ProbabilityField, of: ProbabilityField) -> ProbabilityField:
    """The field without what lies in another field's components but the largest.

    of: usually the field itself. Of several largest components of equal size, all stay.
    """
    labels, count = ndimage.label(of.mask, _NEIGHBOURS)
    both = field.common_part(of)
    if count < 2 or both is None:
        return field
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    lesser = (labels > 0) & (sizes[labels] < sizes.max())
    reach = ndimage.binary_dilation(lesser, _NEIGHBOURS, iterations=2)
    reach &= ~ndimage.binary_dilation((labels > 0) & ~lesser, _NEIGHBOURS) | lesser
    mine, theirs = both
    values = field.values.copy()
    values[mine][reach[theirs]] = 0
    return replace(field, values=values)
