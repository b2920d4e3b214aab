"""Trachea and lungs: the air below the larynx."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.faces import cut_sides
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.masks import bounding_box
from oarflow.rules.blocks import filled_slices
from oarflow.rules.field_of_view import FieldOfView, field_of_view
from oarflow.rules.lumen import Airway, Lumen, ends_under
from oarflow.rules.lungs import Lungs, find_lungs, lung_values
from oarflow.rules.rule import NotOutlined, Outlined, RuleInput
from oarflow.structures import ProbabilityField, Side, Status
from oarflow.types import FloatVoxels, Mask

LUNGS = ("Lung_L", "Lung_R", "Lungs")

APEX_MM = 20.0
"""No lung reaches further than this above the larynx's lower end."""

TRACHEA_WALL_MM = 1.8
"""The trachea's wall belongs to it."""

TRACHEA_LEAST_MM = 8.0
"""A shorter airway under the larynx is no trachea."""

FREE_AIR_HU, FREE_AIR_SHARE = -980.0, 0.3
"""Lung tissue is denser than the first figure. A lung with a greater share of such air has a
leak to the outside, a pneumothorax or emphysema."""

Result = Outlined | NotOutlined


def chest(given: RuleInput) -> Mapping[str, Result]:
    """The rule: Trachea and lungs."""
    outline = given.neighbour("External")
    if outline is None:
        flag = Flag.of(FlagCode.REGION_ORGAN_MISSING, organ="External", status="failed", codes=[])
        return dict.fromkeys(("Trachea", *LUNGS), NotOutlined(Status.FAILED, flag))
    part = _Part.of(given, outline)
    lumen = part.lumen()
    airway = np.zeros_like(part.body) if lumen is None else lumen.trachea | lumen.bronchi
    lungs = find_lungs(part.hu, part.body, airway, part.grid, part.midline(lumen))
    return {"Trachea": part.trachea(lumen), **part.lungs(lungs, lumen)}


@dataclass(frozen=True, eq=False)
class _Part:
    """The box of the body in a CT, up to a little above the larynx's lower end.

    offset: of the box. whole: the CT's grid. start: index in the box, under the middle of the
    larynx's lowest slice, where the trachea begins; None without a larynx.
    """

    hu: FloatVoxels
    body: Mask
    grid: Grid
    whole: Grid
    offset: tuple[int, int, int]
    field_of_view: FieldOfView
    start: tuple[int, int, int] | None

    @classmethod
    def of(cls, given: RuleInput, outline: ProbabilityField) -> _Part:
        volume, (z, y, x) = given.volume, outline.box
        start = _start(given.neighbour("Larynx"), outline)
        if start is not None:
            above = start[0] + 1 + int(APEX_MM / volume.grid.spacing_zyx[0])
            z = slice(z.start, min(z.stop, z.start + max(above, 1)))
        hu = volume.hu[z, y, x]
        corner = np.array([[z.start, y.start, x.start]], dtype=float)
        moved = volume.grid.index_to_patient(corner)[0] - volume.grid.positions_lps[z.start]
        positions = volume.grid.positions_lps[z] + moved
        shape = (hu.shape[0], hu.shape[1], hu.shape[2])
        return cls(
            hu,
            filled_slices(outline.mask[: len(hu)]),
            replace(volume.grid, positions_lps=positions, shape=shape),
            volume.grid,
            outline.offset,
            field_of_view(volume.hu, volume.grid),
            start,
        )

    def lumen(self) -> Lumen | None:
        """The airway from below the larynx; None without a larynx, or without airway under it."""
        if self.start is None or self.start[0] < 0:
            return None
        level, row, column = self.start
        return Airway(self.hu, self.body, self.grid).lumen(level, (row, column))

    def midline(self, lumen: Lumen | None) -> float:
        """Column of the midline: of the trachea, or else of the body."""
        columns = (self.body if lumen is None else lumen.trachea).sum(axis=(0, 1))
        return float(np.average(np.arange(len(columns)), weights=columns))

    def trachea(self, lumen: Lumen | None) -> Result:
        """The lumen with its wall."""
        if lumen is None:
            return self._no_trachea()
        levels = np.flatnonzero(lumen.trachea.any(axis=(1, 2)))
        length = float(self.grid.slice_thickness_mm[levels].sum())
        if length < TRACHEA_LEAST_MM:
            reason = f"only {length:.0f} mm of airway were found under the larynx"
            cut = self._cut_below(lumen.trachea)
            return _nothing(Status.ABSENT if cut else Status.FAILED, reason)
        field = self._cropped(_with_wall(lumen.trachea, self.grid), lumen.trachea)
        return Outlined(field, self._cut_below(lumen.trachea), _lost(lumen))

    def _no_trachea(self) -> NotOutlined:
        if self.start is None:
            return _nothing(Status.ABSENT, "the scan shows no larynx under which it begins")
        level, row, column = self.start
        if level < 0 or not self.body[level, row, column]:
            return _nothing(Status.ABSENT, "the CT ends at the larynx")
        reason = "no airway of a trachea's width begins under the larynx"
        return _nothing(Status.FAILED, reason)

    def _cut_below(self, mask: Mask) -> frozenset[Side]:
        """INFERIOR where the CT ends under the mask."""
        lowest = int(np.flatnonzero(mask.any(axis=(1, 2)))[0])
        cut = ends_under(mask[lowest], self.body, lowest)
        return frozenset({Side.INFERIOR} if cut else ())

    def lungs(self, lungs: Lungs, lumen: Lumen | None) -> dict[str, Result]:
        """Both lungs, and the two as one."""
        masks = (lungs.left, lungs.right, lungs.left | lungs.right)
        flags = (() if lumen is None else _lost(lumen)) + self._merged(lungs)
        if lumen is None:
            reason = "no airway was found under a contoured larynx"
            flags += (Flag.of(FlagCode.AIRWAY_LOST, reason=reason),)
        return {organ: self._lung(mask, flags) for organ, mask in zip(LUNGS, masks, strict=True)}

    def _lung(self, mask: Mask, flags: tuple[Flag, ...]) -> Result:
        if not mask.any():
            return _nothing(Status.ABSENT, "no air of a lung's volume reaches the CT's lower end")
        box = bounding_box(mask, (0, 2, 2))
        field = self._placed(lung_values(self.hu[box], mask[box]), box)
        cut = cut_sides(field, self.whole)
        cut |= self._cut_below(mask)
        cut |= self.field_of_view.cut_sides(field.mask, field.box, self.whole)
        free = float((self.hu[mask] < FREE_AIR_HU).mean())
        if free > FREE_AIR_SHARE:
            flag = Flag.of(FlagCode.FREE_AIR, share=free, limit_share=FREE_AIR_SHARE)
            flags = (*flags, flag)
        return Outlined(field, cut, flags)

    def _merged(self, lungs: Lungs) -> tuple[Flag, ...]:
        return (Flag.of(FlagCode.LUNGS_TOUCH),) if lungs.merged else ()

    def _cropped(self, values: FloatVoxels, mask: Mask) -> ProbabilityField:
        margin = [int(TRACHEA_WALL_MM / step) + 2 for step in self.grid.spacing_yx]
        box = bounding_box(mask, (0, *margin))
        return self._placed(values[box], box)

    def _placed(self, values: FloatVoxels, box: tuple[slice, slice, slice]) -> ProbabilityField:
        z, y, x = (side.start + at for side, at in zip(box, self.offset, strict=True))
        return ProbabilityField(values, (z, y, x))


def _start(
    larynx: ProbabilityField | None, outline: ProbabilityField
) -> tuple[int, int, int] | None:
    if larynx is None:
        return None
    lowest = int(np.flatnonzero(larynx.mask.any(axis=(1, 2)))[0])
    row, column = np.argwhere(larynx.mask[lowest]).mean(axis=0)
    at = np.array([lowest - 1, row, column]) + larynx.offset - outline.offset
    level, row, column = np.round(np.clip(at, (-1, 0, 0), np.array(outline.values.shape) - 1))
    return int(level), int(row), int(column)


def _nothing(status: Status, reason: str) -> NotOutlined:
    return NotOutlined(status, Flag.of(FlagCode.RULE_FOUND_NOTHING, reason=reason))


def _lost(lumen: Lumen) -> tuple[Flag, ...]:
    if not lumen.lost:
        return ()
    reason = "it ends before the scan does, without a fork"
    return (Flag.of(FlagCode.AIRWAY_LOST, reason=reason),)


def _with_wall(lumen: Mask, grid: Grid) -> FloatVoxels:
    """float32 (z, y, x): 0.5 at the outside of the wall, in each slice of the lumen."""
    values = np.zeros(lumen.shape, dtype=np.float32)
    pixel = min(grid.spacing_yx)
    for k in np.flatnonzero(lumen.any(axis=(1, 2))):
        away = _distance(lumen[k], grid)
        values[k] = np.clip(0.5 + (TRACHEA_WALL_MM - away) / (2 * pixel), 0.0, 1.0)
    return values


def _distance(plane: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Distance in mm of the pixels outside a lumen from its edge; negative inside."""
    margin = [int(TRACHEA_WALL_MM / step) + 3 for step in grid.spacing_yx]
    _, rows, columns = bounding_box(plane[None], (0, *margin))
    part = plane[rows, columns]
    outer = ndimage.distance_transform_edt(~part, sampling=grid.spacing_yx)
    away = np.full(plane.shape, 10.0 * TRACHEA_WALL_MM)
    away[rows, columns] = np.where(part, -TRACHEA_WALL_MM, outer - min(grid.spacing_yx) / 2)
    return away
