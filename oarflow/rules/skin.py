"""Skin: a shell inside the surface of External."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.masks import bounding_box
from oarflow.rules.rule import NotOutlined, Outlined, RuleInput
from oarflow.structures import ProbabilityField, Status
from oarflow.types import FloatVoxels, Mask


def skin(given: RuleInput) -> dict[str, Outlined | NotOutlined]:
    """The rule: Skin, from External."""
    body = given.neighbour("External")
    if body is None:
        flag = Flag.of(FlagCode.REGION_ORGAN_MISSING, organ="External", status="failed", codes=[])
        return {"Skin": NotOutlined(Status.FAILED, flag)}
    return {"Skin": Outlined(shell(body, given.volume.grid, given.options.skin_mm))}


def shell(body: ProbabilityField, grid: Grid, thickness_mm: float) -> ProbabilityField:
    """The outermost part of a body, up to a depth in mm under its surface, in three dimensions.

    The scan's first and last slice are no surface.
    """
    pixel_mm = min(grid.spacing_yx)
    most_mm = thickness_mm + 2 * pixel_mm
    squares = [_plane_squares(plane, grid, most_mm) for plane in body.mask]
    offsets = grid.offsets_mm[body.box[0]]
    values = body.values.copy()
    for k, plane in enumerate(values):
        nearest = squares[k]
        for other in np.flatnonzero(np.abs(offsets - offsets[k]) < most_mm):
            away = np.float32((offsets[other] - offsets[k]) ** 2)
            nearest = np.minimum(nearest, squares[other] + away)
        # The surface lies half a pixel before the centre of the pixel outside.
        inner = body.threshold + (thickness_mm - np.sqrt(nearest) + pixel_mm / 2) / (2 * pixel_mm)
        np.minimum(plane, np.clip(inner, 0.0, 1.0), out=plane)
    return replace(body, values=values)


def _plane_squares(plane: Mask, grid: Grid, most_mm: float) -> FloatVoxels:
    """float32 (y, x) squared distance in mm2 to the nearest pixel outside.

    Distances are exact up to `most_mm`.

    A distance in the plane is the least of the distances along the rows and then the columns.
    scipy's transform has no greatest distance and takes ten times as long.
    """
    whole = np.zeros(plane.shape, dtype=np.float32)
    if not plane.any():
        return whole
    rows, columns = bounding_box(plane[None])[1:]
    part = np.pad(plane[rows, columns], 1)
    squares = np.where(part, np.float32(most_mm**2), np.float32(0))
    for axis, step in enumerate(grid.spacing_yx):
        lines = np.moveaxis(squares, axis, 0)
        known = lines.copy()
        for count in range(1, int(most_mm / step) + 2):
            away = np.float32((count * step) ** 2)
            np.minimum(lines[count:], known[:-count] + away, out=lines[count:])
            np.minimum(lines[:-count], known[count:] + away, out=lines[:-count])
    whole[rows, columns] = squares[1:-1, 1:-1]
    return whole
