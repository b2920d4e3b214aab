"""One organ: its patch, its network, its field on the CT (SLICE, section 2)."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.networks.backend import TorchScriptNetwork
from oarflow.networks.card import ModelCard
from oarflow.networks.preprocessing import image_batch
from oarflow.networks.sampling import NetworkGrid, centred_axis
from oarflow.networks.store import ModelStore
from oarflow.paste import paste_field
from oarflow.structures import (
    Localization,
    ProbabilityField,
    Segmentation,
    Side,
    Status,
)
from oarflow.volume import Volume

LOGGER = logging.getLogger(__name__)

ROOM_MM = 15.0
"""A patch leaves at least this much room around what the localizer found, on each side."""

GROWTH_MM = 48.0
"""A patch whose border the organ touches grows by this much, and is run again."""

NEAR_FACE_MM = 9.0
"""A contour that ends this close to a face that the localizer saw it cross is cut by it."""

GROWTHS = 2
"""So often at most."""


@dataclass(frozen=True, eq=False)
class _Patch:
    """Where the network looks. slices: the CT slices of a 2-D network, None for a 3-D one."""

    grid: NetworkGrid
    slices: NDArray[np.intp] | None


class _NotSegmentedError(Exception):
    """An organ's way ends before a contour: with this status, for this reason."""

    def __init__(self, status: Status, *flags: str) -> None:
        self.status = status
        self.flags = flags
        super().__init__(status)


def segment_organ(
    volume: Volume,
    organ: str,
    localizations: Mapping[str, Localization],
    store: ModelStore,
    deadline: float | None = None,
) -> Segmentation:
    """Contour one organ; its own trouble ends in a status, not in an exception.

    deadline: time.monotonic() after which the organ is failed: timeout.
    """
    started = time.monotonic()
    if organ not in store.organs:
        return Segmentation(organ, Status.NO_MODEL)
    localization = localizations.get(organ)
    result = Segmentation(
        organ,
        Status.FAILED,
        model=store.card(organ).identity,
        localization=localization,
    )
    try:
        field = _field(volume, _present(localization), store.segmenter(organ), deadline)
        result = described(volume.grid, field, result)
    except _NotSegmentedError as reason:
        result = replace(result, status=reason.status, flags=reason.flags)
    except Exception:
        LOGGER.exception("organ %s failed", organ)
        result = replace(result, flags=("the network ended in an error",))
    return replace(result, seconds=time.monotonic() - started)


def _present(localization: Localization | None) -> Localization:
    if localization is None:
        raise _NotSegmentedError(Status.FAILED, "the localizer does not know this organ")
    if not localization.present:
        raise _NotSegmentedError(Status.ABSENT)
    return localization


def described(grid: Grid, field: ProbabilityField, result: Segmentation) -> Segmentation:
    """The result with its field, volume and slices; truncated where the field of view cuts it."""
    mask = field.mask
    if not mask.any():
        raise _NotSegmentedError(
            Status.FAILED, "the localizer saw the organ, but its network found nothing there"
        )
    planes = mask.sum(axis=(1, 2))
    pixel_mm2 = grid.spacing_yx[0] * grid.spacing_yx[1]
    found = result.localization
    cut = cut_sides(field, grid, found.cut if found else frozenset())
    return replace(
        result,
        status=Status.TRUNCATED if cut else Status.SEGMENTED,
        field=field,
        flags=tuple(f"cut by the field of view: {side}" for side in sorted(cut)),
        volume_cc=float(planes @ grid.slice_thickness_mm[field.box[0]]) * pixel_mm2 / 1000,
        slices=int((planes > 0).sum()),
    )


def cut_sides(
    field: ProbabilityField, grid: Grid, localized: frozenset[Side] = frozenset()
) -> frozenset[Side]:
    """Faces of the CT that cut the organ.

    The mask touches the face with its outermost voxels, or it ends close to a face that the
    localizer (localized) saw the organ run out of: near a scan's end a network stops short.
    """
    faces = (
        (Side.INFERIOR, Side.SUPERIOR),
        (Side.ANTERIOR, Side.POSTERIOR),
        (Side.RIGHT, Side.LEFT),
    )
    inside = np.argwhere(field.mask)
    low = inside.min(axis=0) + field.offset
    high = inside.max(axis=0) + field.offset
    cut = set()
    for axis, (low_face, high_face) in enumerate(faces):
        extent = grid.axis_mm(axis)
        room = (extent[low[axis]] - extent[0], extent[-1] - extent[high[axis]])
        for face, left in zip((low_face, high_face), room, strict=True):
            if left <= (NEAR_FACE_MM if face in localized else 0.0):
                cut.add(face)
    return frozenset(cut)


def _field(
    volume: Volume,
    localization: Localization,
    network: TorchScriptNetwork,
    deadline: float | None,
) -> ProbabilityField:
    def in_time() -> None:
        if deadline is not None and time.monotonic() > deadline:
            raise _NotSegmentedError(Status.FAILED, "timeout")

    axes = (volume.grid.axis_mm(0), volume.grid.axis_mm(1), volume.grid.axis_mm(2))
    number = network.card.organs.index(localization.organ)
    grown = 0.0
    for attempt in range(GROWTHS + 1):
        patch = _patch(volume.grid, localization, network.card, grown)
        batch = image_batch(volume.hu, axes, network.card, patch.grid)
        values = network.probabilities(batch, in_time)[:, number]
        values = values if network.card.dimensions == 2 else values[0]
        if attempt == GROWTHS or not _touches_border(values, network.card.threshold):
            break
        grown += GROWTH_MM
    field = paste_field(values, patch.grid, volume.grid, patch.slices, network.card.threshold)
    return replace(field, clipped=_clipped(field, patch, volume.grid))


def _patch(grid: Grid, localization: Localization, card: ModelCard, grown_mm: float) -> _Patch:
    assert localization.centroid_lps is not None
    assert localization.extent_mm is not None
    assert localization.slices is not None
    centre = grid.patient_to_axes(localization.centroid_lps)
    axes = []
    for axis in range(3):
        spacing = card.spacing_mm[axis]
        if spacing == 0:
            axes.append(grid.offsets_mm[:0])
            continue
        needed = localization.extent_mm[axis] + 2 * ROOM_MM
        extent = max(card.patch_mm[axis], needed) + grown_mm
        count = -(-round(extent / spacing) // card.multiple) * card.multiple
        axes.append(centred_axis(float(centre[axis]), count, spacing))
    if card.dimensions == 3:
        return _Patch(NetworkGrid(*axes), None)
    first, last = (grid.offsets_mm[k] for k in localization.slices)
    slices = np.flatnonzero(
        (grid.offsets_mm >= first - card.margin_mm) & (grid.offsets_mm <= last + card.margin_mm)
    )
    return _Patch(NetworkGrid(grid.offsets_mm[slices], axes[1], axes[2]), slices)


def _touches_border(values: NDArray[np.float32], threshold: float) -> bool:
    """Whether the organ reaches the in-plane border of its patch."""
    inside = values >= threshold
    return bool(inside[:, (0, -1), :].any() or inside[:, :, (0, -1)].any())


def _clipped(field: ProbabilityField, patch: _Patch, grid: Grid) -> bool:
    """Whether the organ runs to the last voxels that the network saw, although the CT goes on."""
    mask = field.mask
    for axis, seen in enumerate(patch.grid.axes):
        extent = grid.axis_mm(axis)
        planes = mask.any(axis=tuple(other for other in range(3) if other != axis))
        used = np.flatnonzero(planes) + field.offset[axis]
        if len(used) == 0:
            return False
        step = 0.99 * grid.spacing_zyx[axis]
        if extent[0] < seen[0] and extent[used[0]] < seen[0] + step:
            return True
        if extent[-1] > seen[-1] and extent[used[-1]] > seen[-1] - step:
            return True
    return False
