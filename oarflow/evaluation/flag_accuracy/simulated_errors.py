"""Errors simulated in good contours: what a rule must not let pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.plausibility.evidence import Contour, Scene
from oarflow.structures import ProbabilityField, Segmentation

SHIFT_MM = 15.0
LEAK_WIDTH_MM = 20.0
BEHIND_MM = 30.0
"""The leak ends so far behind the patient's back: in the couch."""

COUCH_GAP_MM, COUCH_SHELL_MM, COUCH_MM = 4.0, 2.0, 50.0
"""A couch top: how far behind the back, its shells' thickness and its own."""

SHELL_HU, CORE_HU = np.float32(-250.0), np.float32(-920.0)
"""Carbon fibre, partly in its voxels, and the foam between."""

TISSUE_HU = -300.0
LIKELY = np.float32(0.9)

WAYS = (("downward", "upward"), ("forward", "backward"), ("rightward", "leftward"))
HALVES = (("lower", "upper"), ("front", "back"), ("right", "left"))

SHIFTED = "shifted by 15 mm"
MIRRORED = "mirrored"
HALVED = "half missing"
SWAPPED = "left and right swapped"
LEAKED = "leak through the back"
KINDS = (SHIFTED, MIRRORED, HALVED, SWAPPED, LEAKED)


@dataclass(frozen=True, eq=False)
class SimulatedError:
    """A damaged contour. kind: one of KINDS; way: which of its variants.

    hu: the CT (z, y, x) that it lies on, where that was changed too; None for the patient's own.
    """

    kind: str
    way: str
    item: Segmentation
    hu: NDArray[np.float32] | None = None


def simulated_errors(
    contour: Contour, scene: Scene, hu: NDArray[np.float32]
) -> Iterator[SimulatedError]:
    """Every error that this contour can have. hu: the CT (z, y, x)."""
    item, grid = contour.item, scene.grid
    assert item.field is not None
    for axis in range(3):
        for high in (False, True):
            moved = shifted(item.field, grid, axis, SHIFT_MM if high else -SHIFT_MM)
            yield SimulatedError(SHIFTED, WAYS[axis][high], replace(item, field=moved))
            cut = without_half(item.field, axis, high)
            yield SimulatedError(HALVED, f"{HALVES[axis][high]} half", replace(item, field=cut))
    axis = 2 if contour.organ is not None and contour.organ.partner else 1
    way = "left to right" if axis == 2 else "front to back"
    turned = mirrored(item.field, grid, axis, middle_mm(scene, hu, axis))
    yield SimulatedError(MIRRORED, way, replace(item, field=turned))
    leak = replace(item, field=leaking(contour, grid, hu))
    yield SimulatedError(LEAKED, "into the air", leak)
    yield SimulatedError(LEAKED, "into a couch", leak, with_couch(hu, grid))
    partner = contour.organ.partner if contour.organ else None
    if partner is not None and partner in scene.contours:
        other = scene.contours[partner].item
        yield SimulatedError(SWAPPED, "", replace(item, field=other.field))


def shifted(field: ProbabilityField, grid: Grid, axis: int, mm: float) -> ProbabilityField:
    """The field moved along an axis, as far as the CT goes."""
    steps = mm / grid.spacing_zyx[axis]
    whole = int(np.floor(steps))
    padding = [(1, 1) if a == axis else (0, 0) for a in range(3)]
    values = np.pad(field.values, padding)
    moved = [steps - whole if a == axis else 0.0 for a in range(3)]
    values = ndimage.shift(values, moved, order=1).astype(np.float32)
    offset = list(field.offset)
    offset[axis] += whole - 1
    return inside(values, offset, field, grid)


def mirrored(field: ProbabilityField, grid: Grid, axis: int, middle: float) -> ProbabilityField:
    """The field turned about a plane at `middle` mm across an axis."""
    step = grid.spacing_zyx[axis]
    offset = list(field.offset)
    last = field.offset[axis] + field.values.shape[axis] - 1
    offset[axis] = round(2 * middle / step) - last
    return inside(np.flip(field.values, axis), offset, field, grid)


def without_half(field: ProbabilityField, axis: int, high: bool) -> ProbabilityField:
    """The field without its mask's higher or lower half along an axis: at most half is left."""
    planes = field.mask.sum(axis=tuple(a for a in range(3) if a != axis))
    middle = int(np.searchsorted(np.cumsum(planes), planes.sum() / 2))
    values = np.moveaxis(field.values.copy(), axis, 0)
    if high:
        values[middle:] = 0
    else:
        values[: middle + 1] = 0
    return replace(field, values=np.ascontiguousarray(np.moveaxis(values, 0, axis)))


def leaking(contour: Contour, grid: Grid, hu: NDArray[np.float32]) -> ProbabilityField:
    """The field with a bar from its middle straight back through the skin."""
    field = contour.item.field
    assert field is not None
    z, y, x = (
        int(np.abs(grid.axis_mm(axis) - mm).argmin())
        for axis, mm in enumerate(contour.facts.centroid_mm)
    )
    half = [max(1, round(LEAK_WIDTH_MM / 2 / step)) for step in grid.spacing_zyx]
    rows = np.flatnonzero((hu[z] > TISSUE_HU).any(axis=1))
    back = int(rows[-1]) if len(rows) else y
    end = min(grid.shape[1], back + round(BEHIND_MM / grid.spacing_yx[0]) + 1)
    bar = (
        slice(max(0, z - half[0]), min(grid.shape[0], z + half[0] + 1)),
        slice(y, max(end, y + 1)),
        slice(max(0, x - half[2]), min(grid.shape[2], x + half[2] + 1)),
    )
    low = [min(a.start, b.start) for a, b in zip(field.box, bar, strict=True)]
    high = [max(a.stop, b.stop) for a, b in zip(field.box, bar, strict=True)]
    values = np.zeros([b - a for a, b in zip(low, high, strict=True)], dtype=np.float32)
    values[_within(field.box, low)] = field.values
    values[_within(bar, low)] = np.maximum(values[_within(bar, low)], LIKELY)
    return ProbabilityField(values, (low[0], low[1], low[2]), field.threshold, field.clipped)


def with_couch(hu: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """The CT with a couch top behind the patient's back: two shells and foam, across all slices."""
    rows = np.flatnonzero((hu > TISSUE_HU).any(axis=(0, 2)))
    behind = grid.axis_mm(1) - grid.axis_mm(1)[rows[-1] if len(rows) else -1] - COUCH_GAP_MM
    couch = (behind >= 0) & (behind <= COUCH_MM)
    core = (behind > COUCH_SHELL_MM) & (behind < COUCH_MM - COUCH_SHELL_MM)
    changed = hu.copy()
    changed[:, couch] = np.where(core[couch], CORE_HU, SHELL_HU)[None, :, None]
    return changed


def middle_mm(scene: Scene, hu: NDArray[np.float32], axis: int) -> float:
    """The patient's middle plane across an axis, in mm: that of the tissue."""
    tissue = hu > TISSUE_HU
    counts = tissue.sum(axis=tuple(a for a in range(3) if a != axis))
    return float(np.average(scene.grid.axis_mm(axis), weights=counts))


def inside(
    values: NDArray[np.float32], offset: list[int], like: ProbabilityField, grid: Grid
) -> ProbabilityField:
    """The part of a moved field that lies in the CT; one empty voxel where none does."""
    low = [max(0, -o) for o in offset]
    high = [min(n, s - o) for n, s, o in zip(values.shape, grid.shape, offset, strict=True)]
    if any(a >= b for a, b in zip(low, high, strict=True)):
        nothing = np.zeros((1, 1, 1), dtype=np.float32)
        return ProbabilityField(nothing, (0, 0, 0), like.threshold)
    kept = values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    z, y, x = (o + a for o, a in zip(offset, low, strict=True))
    return ProbabilityField(np.ascontiguousarray(kept), (z, y, x), like.threshold, like.clipped)


def _within(box: tuple[slice, ...], low: list[int]) -> tuple[slice, ...]:
    return tuple(slice(b.start - a, b.stop - a) for b, a in zip(box, low, strict=True))


def with_contour(contours: Mapping[str, Contour], changed: Contour) -> dict[str, Contour]:
    """The same contours, one of them in the place of its former self."""
    return {**contours, changed.item.organ: changed}
