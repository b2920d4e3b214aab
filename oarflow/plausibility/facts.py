"""Measurements of one contour: size, position, shape, HU, and the network's uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.masks import bounding_box
from oarflow.plausibility.beyond import going_on
from oarflow.structures import ProbabilityField
from oarflow.types import FloatArray, Mask, Triple, triple

AIR_HU = -300.0
"""Voxels below this HU are air, or mostly air."""

DOUBTED = 0.3
"""Probabilities above this enter the mean probability."""

UNSURE = (0.1, 0.9)
"""Voxels with probabilities between these are uncertain."""

END_MM = 6.0
"""Thickness in mm of the slab that is measured at each end of an organ."""

STRAY_SHARE = 0.005
"""Components smaller than this share of the mask are not counted."""

_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Facts:
    """Measurements of one organ.

    volume_cc: of the mask. centroid_mm, low_mm, high_mm: its centre of mass and the two faces of
        its bounding box along the volume's axes (z, y, x), in mm from the grid's first voxel.
    components: pieces that do not even touch by a corner. largest_share: share of the mask in the
        largest piece.
    empty_slices: slices without a voxel between the first and the last slice of the mask.
    end_low, end_high: (z, y, x) volume of the outermost `END_MM` on each side, as a share of the
        organ's fullest slab of that thickness: 1 where it ends bluntly.
    beyond_low, beyond_high: (z, y, x) share of the voxels just beyond each side that look like the
        organ: near 1 where the contour ends too early.
    sphericity: surface of a ball of the mask's volume divided by the mask's surface (Crofton's
        formula along the axes): about 1 for a ball, less for longer, thinner or rougher shapes.
    mean_hu, sd_hu: of the mask's voxels. air_share: share of them below `AIR_HU`.
    sure_mean: mean of the probabilities above `DOUBTED`; 1 for a mask that no network made.
    border_entropy: binary entropy of the probabilities across the surface, in bit mm: the sum over
        all voxels in `UNSURE`, divided by the surface. It does not depend on the voxels' size.
    """

    volume_cc: float
    centroid_mm: Triple
    low_mm: Triple
    high_mm: Triple
    components: int
    largest_share: float
    empty_slices: int
    end_low: Triple
    end_high: Triple
    beyond_low: Triple
    beyond_high: Triple
    sphericity: float
    mean_hu: float
    sd_hu: float
    air_share: float
    sure_mean: float
    border_entropy: float

    @property
    def extent_mm(self) -> Triple:
        """(z, y, x) size of the bounding box."""
        z, y, x = (high - low for low, high in zip(self.low_mm, self.high_mm, strict=True))
        return z, y, x


def measure(hu: NDArray[np.float32], grid: Grid, field: ProbabilityField) -> Facts:
    """Measure a field whose mask is not empty. hu: float32 (z, y, x), the CT on the grid.

    Reads only the mask's box of the volume. Raises ValueError for an empty mask.
    """
    inner, box = bounding_box(field.mask), field.mask_box
    values = field.values[inner]
    mask = values >= field.threshold
    widths = _widths(grid, box)
    profiles = _profiles(mask, widths)
    ends = [_ends(profile, width) for profile, width in zip(profiles, widths, strict=True)]
    volume = float(profiles[0].sum())
    places = [grid.axis_mm(axis)[part] for axis, part in enumerate(box)]
    inside = hu[box][mask]
    components, largest = _components(mask)
    beyond_low, beyond_high = going_on(hu, grid, mask, box)
    surface = _surface(mask, widths)
    return Facts(
        volume_cc=volume / 1000,
        centroid_mm=triple(
            [float(p @ at) / volume for p, at in zip(profiles, places, strict=True)]
        ),
        low_mm=triple([float(at[0] - w[0] / 2) for at, w in zip(places, widths, strict=True)]),
        high_mm=triple([float(at[-1] + w[-1] / 2) for at, w in zip(places, widths, strict=True)]),
        components=components,
        largest_share=largest,
        empty_slices=int((profiles[0] == 0).sum()),
        end_low=triple([low for low, _ in ends]),
        end_high=triple([high for _, high in ends]),
        beyond_low=beyond_low,
        beyond_high=beyond_high,
        sphericity=float(np.cbrt(np.pi) * (6 * volume) ** (2 / 3)) / surface,
        mean_hu=float(inside.mean(dtype=np.float64)),
        sd_hu=float(inside.std(dtype=np.float64)),
        air_share=float((inside < AIR_HU).mean()),
        sure_mean=_sure_mean(values),
        border_entropy=_border_entropy(grid, field) / surface,
    )


def _widths(grid: Grid, box: tuple[slice, ...]) -> list[FloatArray]:
    """Thickness of each voxel of a box along each axis, in mm."""
    rows, columns = grid.spacing_yx
    return [
        grid.slice_thickness_mm[box[0]],
        np.full(box[1].stop - box[1].start, rows),
        np.full(box[2].stop - box[2].start, columns),
    ]


def _profiles(mask: Mask, widths: list[FloatArray]) -> list[FloatArray]:
    """Volume of each plane across each axis, in mm3."""
    thick = widths[0]
    pixel = float(widths[1][0] * widths[2][0])
    return [
        mask.sum(axis=(1, 2)) * thick * pixel,
        thick @ mask.sum(axis=2) * pixel,
        thick @ mask.sum(axis=1) * pixel,
    ]


def _ends(profile: FloatArray, widths: FloatArray) -> tuple[float, float]:
    """Volume of both end slabs as a share of the fullest slab of that thickness."""
    edges = np.concatenate(([0.0], np.cumsum(widths)))
    upto = np.concatenate(([0.0], np.cumsum(profile)))
    slab = min(END_MM, float(edges[-1]))
    starts = np.concatenate((edges[edges <= edges[-1] - slab], [edges[-1] - slab]))
    filled = np.interp(starts + slab, edges, upto) - np.interp(starts, edges, upto)
    fullest = float(filled.max())
    return float(filled[0]) / fullest, float(filled[-1]) / fullest


def _components(mask: Mask) -> tuple[int, float]:
    labels, count = ndimage.label(mask, _NEIGHBOURS)
    if count == 1:
        return 1, 1.0
    shares = np.bincount(labels.ravel())[1:] / np.count_nonzero(mask)
    return int((shares >= STRAY_SHARE).sum()), float(shares.max())


def _surface(mask: Mask, widths: list[FloatArray]) -> float:
    """Area in mm2: two thirds of the voxels' faces."""
    thick, rows, columns = widths[0], float(widths[1][0]), float(widths[2][0])
    padded = np.pad(mask, 1)
    core = slice(1, -1)
    across = np.count_nonzero(padded[1:, core, core] != padded[:-1, core, core]) * rows * columns
    along_y = (padded[core, 1:, core] != padded[core, :-1, core]).sum(axis=(1, 2)) @ thick
    along_x = (padded[core, core, 1:] != padded[core, core, :-1]).sum(axis=(1, 2)) @ thick
    return float(across + float(along_y) * columns + float(along_x) * rows) * 2 / 3


def _sure_mean(values: NDArray[np.float32]) -> float:
    return float(values[values > DOUBTED].mean(dtype=np.float64))


def _border_entropy(grid: Grid, field: ProbabilityField) -> float:
    """Entropy in bits of all uncertain voxels, times their volume in mm3."""
    low, high = UNSURE
    unsure = (field.values > low) & (field.values < high)
    p = field.values[unsure].astype(np.float64)
    bits = np.zeros(field.values.shape, dtype=np.float32)
    bits[unsure] = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    rows, columns = grid.spacing_yx
    thick = grid.slice_thickness_mm[field.box[0]]
    return float(bits.sum(axis=(1, 2), dtype=np.float64) @ thick) * rows * columns
