"""External: the outline of the patient's body, without couch, mask, tubes and outside air."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.masks import bounding_box
from oarflow.rules.blocks import (
    BLOCK_MM,
    IN_SLICES,
    Blocks,
    block_counts,
    blocks_of,
    dilated,
    eroded,
    filled_across,
    filled_slices,
    from_blocks,
    in_voxels,
    opened,
)
from oarflow.rules.field_of_view import field_of_view
from oarflow.rules.rule import NotOutlined, Outlined, RuleInput
from oarflow.structures import ProbabilityField, Status
from oarflow.types import Box, FloatVoxels, Mask

LEVEL_HU = -350.0
"""HU at the surface. Planning systems draw their outline of the body at -350 to -250 HU. Air that
smears of a moving or cut shoulder lies below."""

RAMP_HU = 1300.0
"""The probability grows from 0 to 1 over this range about the level: from air to soft tissue."""

CORE_MM = 8.0
"""A part of the patient that holds no cylinder of this radius and half height is no core."""

SHEET_MM = 2.0
"""Half the thickness of the thickest sheet or cable that is not skin: masks, shells of couches."""

CONTINUED = 0.5
"""Share of a piece that lies over or under the body's pieces of the next slice."""

REACH_MM = 32.0
"""How far the patient extends from the core: ears, nose, chin."""


LIMB_MM = 20.0
"""Other pieces that hold a cylinder of this radius may be parts of the patient."""

JUMP_CM2_PER_MM = 40.0
"""Greatest change of the cross-section from slice to slice, by their distance. Shoulders change by
at most 22 cm2 per mm in 25 complete CTs; where slices were cut away, by more than 65."""

JUMP_LEAST_MM, JUMP_MOST_MM = 2.5, 10.0
"""Thinner slices count as so thick, because the change has a random part. Slices further apart
are not compared."""

DEVICE_SHARE = 0.15
"""Greatest share of the surface that touches devices. It is 0.07 with a tight mask."""

OTHERS_SHARE = 0.1
"""Greatest volume of other pieces, as a share of the body's."""


def external(given: RuleInput) -> dict[str, Outlined | NotOutlined]:
    """The rule: External."""
    volume = given.volume
    body = find_body(volume.hu, volume.grid, fill_cavities=given.options.fill_cavities)
    if body is None:
        reason = "the CT shows no piece as large as a part of a body"
        flag = Flag.of(FlagCode.RULE_FOUND_NOTHING, reason=reason)
        return {"External": NotOutlined(Status.FAILED, flag)}
    values = probabilities(volume.hu[body.box], body.mask, body.dense)
    z, y, x = (side.start for side in body.box)
    cut = field_of_view(volume.hu, volume.grid).cut_sides(body.mask, body.box, volume.grid)
    found = ProbabilityField(values, (z, y, x))
    return {"External": Outlined(found, cut, body_flags(body, volume.grid))}


@dataclass(frozen=True, eq=False)
class Body:
    """The patient in the box of a CT.

    mask: bool (z, y, x), holes filled if asked. dense: bool, all that is denser than the level,
    with couch and mask. box: where both lie in the CT. others_cc: volume of other
    pieces as thick as a limb.
    """

    mask: Mask
    dense: Mask
    box: Box
    others_cc: float


def find_body(hu: FloatVoxels, grid: Grid, *, fill_cavities: bool = True) -> Body | None:
    """The patient's body in a CT; None where nothing in it is as large as a part of a patient."""
    dense = hu >= LEVEL_HU
    blocks = blocks_of(grid)
    half = (blocks[0] * blocks[1] + 1) // 2
    coarse = block_counts(dense, blocks) >= half
    core, others = _core(coarse, grid, blocks)
    if not core.any():
        return None
    patient = _trunk(core, coarse, grid, blocks)[1]
    near = bounding_box(patient, in_voxels(2 * REACH_MM, grid, blocks))
    sheet = [int(SHEET_MM / step) for step in grid.spacing_yx]
    solid = opened(dense[_fine(near, blocks, hu.shape)], (0, sheet[0], sheet[1]))
    coarse = _grown(core[near], block_counts(solid, blocks) >= half, grid, blocks)
    tight = bounding_box(coarse, (0, 1, 1))
    coarse = coarse[tight]
    solid = solid[_fine(tight, blocks, solid.shape)]
    body = solid & from_blocks(dilated(coarse, (0, 1, 1)), blocks, solid.shape)
    body = _held(body, from_blocks(coarse, blocks, solid.shape))
    if fill_cavities:
        body = _filled(body, coarse, blocks)
    box = _fine(_inner(near, tight), blocks, hu.shape)
    return Body(body, dense[box], box, others)


def _inner(outer: Box, inner: Box) -> Box:
    """A box within a box, in the indices of the whole."""
    z, y, x = (
        slice(out.start + part.start, out.start + part.stop)
        for out, part in zip(outer, inner, strict=True)
    )
    return z, y, x


def _fine(box: Box, blocks: Blocks, shape: tuple[int, ...]) -> Box:
    z, y, x = box
    rows, columns = (
        slice(side.start * step, min(side.stop * step, size))
        for side, step, size in zip((y, x), blocks, shape[1:], strict=True)
    )
    return z, rows, columns


def _core(coarse: Mask, grid: Grid, blocks: Blocks) -> tuple[Mask, float]:
    """The largest piece of what is thick in all directions, and the volume of the others in cm3."""
    thick = opened(coarse, in_voxels(CORE_MM, grid, blocks))
    labels, count = ndimage.label(thick)
    if not count:
        return thick, 0.0
    area = blocks[0] * blocks[1] * grid.spacing_yx[0] * grid.spacing_yx[1]
    weights = np.broadcast_to(grid.slice_thickness_mm[:, None, None], labels.shape)
    volumes = np.bincount(labels.ravel(), weights.ravel())[1:] * area / 1000
    best = int(volumes.argmax())
    core = labels == best + 1
    others = opened(thick & ~core, in_voxels(LIMB_MM, grid, blocks))
    weights = others.sum(axis=(1, 2)) @ grid.slice_thickness_mm
    return core, float(weights) * area / 1000


def _grown(core: Mask, coarse: Mask, grid: Grid, blocks: Blocks) -> Mask:
    """The core with all that is nearer to it, within the mask, than to other solid pieces."""
    step = in_voxels(BLOCK_MM, grid, blocks)
    thick, body = _trunk(core, coarse, grid, blocks)
    rim = dilated(body, (0, *step[1:]))
    others = thick & ~body
    for _ in range(round(REACH_MM / BLOCK_MM)):
        others |= dilated(others, step) & coarse & ~body
        # From slice to slice only thin parts grow, such as ears: a thin part of a device may lie
        # right under a shoulder.
        reached = dilated(body, (0, *step[1:])) | dilated(body & ~rim, (step[0], 0, 0))
        body = reached & coarse & ~others
    return body


def _trunk(core: Mask, coarse: Mask, grid: Grid, blocks: Blocks) -> tuple[Mask, Mask]:
    """The solid pieces of each slice, and those of them that continue the core."""
    thick = opened(coarse, (0, *in_voxels(BLOCK_MM, grid, blocks)[1:]))
    return thick, _followed(core & thick, thick)


def _followed(core: Mask, mask: Mask) -> Mask:
    """The pieces of a mask, slice by slice, that continue the core from its fullest slice on.

    A piece continues the body if half of it lies over or under the body's pieces of the next slice.
    A couch or head-rest that the back touches has other slices of its own.
    """
    labels, count = ndimage.label(mask, IN_SLICES)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    own = np.zeros(count + 1, dtype=bool)
    first = int(core.sum(axis=(1, 2)).argmax())
    own[labels[first][core[first]]] = True
    own[0] = False
    grew = deque([first])
    while grew:
        known = grew.popleft()
        under = own[labels[known]]
        for new in {max(known - 1, 0), min(known + 1, len(mask) - 1)} - {known}:
            common = np.bincount(labels[new][under], minlength=count + 1)
            continued = (common > CONTINUED * sizes) & ~own
            continued[0] = False
            if continued.any():
                own |= continued
                grew.append(new)
    return own[labels]


def _filled(body: Mask, coarse: Mask, blocks: Blocks) -> Mask:
    """The body with its cavities: those that are closed in a plane across any axis."""
    closed = coarse | filled_across(coarse, 0) | filled_across(coarse, 1) | filled_across(coarse, 2)
    inner = closed & ~coarse
    inner |= dilated(inner, (0, 1, 1)) & eroded(closed, (0, 1, 1))
    return filled_slices(body | from_blocks(inner, blocks, body.shape))


def _held(body: Mask, coarse: Mask) -> Mask:
    """The pieces of each slice that hold a part of the coarse body.

    Beside it lie parts of devices that come within a block of the skin.
    """
    held = body & coarse
    for plane, core in zip(body, held, strict=True):
        labels, count = ndimage.label(plane)
        if count > 1 or not core.any():
            kept = np.zeros(count + 1, dtype=bool)
            kept[labels[core]] = True
            np.take(kept, labels, out=plane)
    return body


def probabilities(hu: NDArray[np.float32], body: Mask, dense: Mask) -> FloatVoxels:
    """float32 (z, y, x): 0.5 at the surface of the body.

    Across the skin the values follow the HU. Objects that touch the skin and were cut off have 0,
    filled cavities 1.
    """
    rim = dilated(body, (0, 1, 1))
    inner = eroded(body, (0, 1, 1))
    values = np.empty(hu.shape, dtype=np.float32)
    for k, plane in enumerate(values):  # one slice fits the processor's cache
        np.clip((hu[k] - LEVEL_HU) / RAMP_HU + 0.5, 0.0, 1.0, out=plane)
        np.copyto(plane, 1.0, where=inner[k] | (body[k] & ~dense[k]))
        np.copyto(plane, 0.0, where=~rim[k] | (dense[k] & ~body[k]))
    return values


def body_flags(body: Body, grid: Grid) -> tuple[Flag, ...]:
    """Reasons to doubt the outline of a body."""
    return (*_jump(body, grid), *_device(body), *_others(body, grid))


def _jump(body: Body, grid: Grid) -> Iterator[Flag]:
    areas = body.mask.sum(axis=(1, 2)) * (grid.spacing_yx[0] * grid.spacing_yx[1] / 100)
    steps = np.diff(grid.offsets_mm[body.box[0]])
    limits = JUMP_CM2_PER_MM * np.maximum(steps, JUMP_LEAST_MM)
    excess = np.where(steps <= JUMP_MOST_MM, np.abs(np.diff(areas)) / limits, 0.0)
    if excess.size and excess.max() > 1:
        worst = int(excess.argmax())
        first = body.box[0].start + worst + 1
        yield Flag.of(
            FlagCode.AREA_JUMP,
            change_cm2=float(np.abs(np.diff(areas))[worst]),
            first=first,
            second=first + 1,
            limit_cm2=float(limits[worst]),
        )


def _device(body: Body) -> Iterator[Flag]:
    rim = dilated(body.mask, (0, 1, 1)) & ~body.mask
    share = int(np.count_nonzero(rim & body.dense)) / max(1, int(np.count_nonzero(rim)))
    if share > DEVICE_SHARE:
        yield Flag.of(FlagCode.DEVICE_TOUCHED, share=share, limit_share=DEVICE_SHARE)


def _others(body: Body, grid: Grid) -> Iterator[Flag]:
    area = grid.spacing_yx[0] * grid.spacing_yx[1]
    planes = body.mask.sum(axis=(1, 2))
    limit = OTHERS_SHARE * float(planes @ grid.slice_thickness_mm[body.box[0]]) * area / 1000
    if body.others_cc > limit:
        yield Flag.of(FlagCode.PARTS_LEFT_OUT, others_cc=body.others_cc, limit_cc=limit)
