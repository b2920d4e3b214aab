"""Organ by organ: where its network looks, its field on the CT, its status (SLICE, section 2)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from oarflow.fields import dice_of
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.networks.backend import TorchScriptNetwork
from oarflow.networks.card import ModelCard
from oarflow.networks.preprocessing import Images, input_batch
from oarflow.networks.store import ModelStore
from oarflow.networks.tiles import tiled
from oarflow.paste import paste_field
from oarflow.regions import Patch, localized_patch, organ_patch, volume_patch, within
from oarflow.structures import (
    Localization,
    ProbabilityField,
    Segmentation,
    Side,
    Status,
)
from oarflow.volume import Volume

LOGGER = logging.getLogger(__name__)

GROWTH_MM = 48.0
"""A patch whose border the organ touches grows by this much, and is run again."""

NEAR_FACE_MM = 9.0
"""A contour that ends this close to a face that the localizer saw it cross is cut by it."""

GROWTHS = 2
"""So often at most."""

SHIFT_VOXELS = (2.5, -4.5, 3.5)
"""How far a patch is moved (z, y, x) to ask its network again; z of 3-D networks only."""


@dataclass(frozen=True, eq=False)
class Mr:
    """What became of the study's MR.

    values: float32 on the CT's voxels as networks read it (oarflow.registration.scaled_mr); None
    where it cannot be used. trouble: why not, in words; empty where no MR was given.
    registration: what the check of a failed registration measured; empty where none was done.
    """

    values: NDArray[np.float32] | None = None
    trouble: str = ""
    registration: Mapping[str, float] = field(default_factory=dict)


NO_MR = Mr()


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a network said of a patch. values: (organs, planes or z, y, x).

    again: of the same patch, moved; None where it was not asked.
    """

    patch: Patch
    values: NDArray[np.float32]
    again: _Seen | None = None


class _NotSegmentedError(Exception):
    """An organ's way ends before a contour: with this status, for this reason."""

    def __init__(self, status: Status, *flags: Flag) -> None:
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
    """Contour one organ of a CT; its own trouble ends in a status, not in an exception.

    deadline: time.monotonic() after which the organ is failed: timeout.
    """
    return Segmenter(volume, localizations, store).segment(organ, deadline)


class Segmenter:
    """All organs of one study: networks of several organs run once, organs in whatever order.

    An organ that is looked for about another one's contour has that one contoured first, once. An
    organ whose network reads an MR falls back to one that needs none, where there is such a one.
    """

    def __init__(
        self,
        volume: Volume,
        localizations: Mapping[str, Localization],
        store: ModelStore,
        mr: Mr = NO_MR,
        *,
        shifts: bool = False,
    ) -> None:
        """shifts: ask each network twice, the patch moved, and say how steady its contour is."""
        self._grid = volume.grid
        axes = (volume.grid.axis_mm(0), volume.grid.axis_mm(1), volume.grid.axis_mm(2))
        self._images = Images(volume.hu, axes, mr.values)
        self._localizations = localizations
        self._store = store
        self._mr = mr
        self._shifts = shifts
        self._seen: dict[tuple[str, tuple[str, ...], float], _Seen] = {}
        self._done: dict[str, Segmentation] = {}

    def segment(self, organ: str, deadline: float | None = None) -> Segmentation:
        """One organ; its own trouble ends in a status, not in an exception.

        deadline: time.monotonic() after which the organ is failed: timeout.
        """
        if organ not in self._done:
            self._done[organ] = self._segment(organ, deadline)
        return self._done[organ]

    def _segment(self, organ: str, deadline: float | None) -> Segmentation:
        started = time.monotonic()
        if organ not in self._store.organs:
            return Segmentation(organ, Status.NO_MODEL)
        usable = self._mr.values is not None
        blank = Segmentation(
            organ,
            Status.FAILED,
            model=self._store.card(organ, mr=usable).identity,
            localization=self._localizations.get(organ),
        )
        try:
            network = self._network(organ)
            blank = replace(blank, notes=self._notes(network.card, organ))
            field = self._field(organ, network, deadline)
            result = described(self._grid, field, blank)
            _refuse_crumbs(result, network.card)
        except _NotSegmentedError as reason:
            result = replace(blank, status=reason.status, flags=reason.flags)
        except Exception:
            LOGGER.exception("organ %s failed", organ)
            result = replace(blank, flags=(Flag.of(FlagCode.NETWORK_ERROR),))
        return replace(result, seconds=time.monotonic() - started)

    def _network(self, organ: str) -> TorchScriptNetwork:
        usable = self._mr.values is not None
        if self._store.card(organ, mr=usable).needs_mr and not usable:
            reason = self._mr.trouble or "none was given"
            raise _NotSegmentedError(Status.FAILED, Flag.of(FlagCode.NEEDS_MR, reason=reason))
        return self._store.segmenter(organ, mr=usable)

    def _notes(self, card: ModelCard, organ: str) -> tuple[str, ...]:
        notes = []
        localization = self._localizations.get(organ)
        if localization is not None and localization.by_neighbours:
            notes.append(
                "searched in the region predicted from other organs (not covered by the localizer)"
            )
        if (source := card.source_organ(organ)) is not None:
            notes.append(f"contoured within {card.region_from.grow_mm:g} mm of {source}'s box only")
        if card.reads_mr and self._mr.values is not None:
            notes.append("contoured on the CT and the MR registered to it")
        elif self._mr.trouble and self._store.card(organ, mr=True).reads_mr:
            notes.append("contoured on the CT alone, without the MR")
        return tuple(notes)

    def _field(
        self, organ: str, network: TorchScriptNetwork, deadline: float | None
    ) -> ProbabilityField:
        def in_time() -> None:
            if deadline is not None and time.monotonic() > deadline:
                raise _NotSegmentedError(Status.FAILED, Flag.of(FlagCode.ORGAN_TIME_LIMIT))

        card = network.card
        if card.region_from.source != "organ":
            self._refuse_absent(organ, card)
        side = card.side(organ) if card.sided else 0.0
        key = (card.sha256, card.organs, side)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._look(organ, network, side, in_time)
            # Whole slices and volumes have no patch that could lie elsewhere.
            if self._shifts and card.region_from.source != "volume":
                moved = seen.patch.moved(SHIFT_VOXELS, card)
                again = _Seen(moved, self._run(network, moved, side, in_time))
                seen = replace(seen, again=again)
        if card.outputs > 1:  # what one organ's network saw is not kept
            self._seen[key] = seen
        field = self._pasted(seen, card, organ)
        if seen.again is not None and field.mask.any():
            steadiness = dice_of(field, self._pasted(seen.again, card, organ))
            field = replace(field, steadiness=steadiness)
        if seen.patch.box is not None:
            return field
        return replace(field, clipped=_clipped(field, seen.patch, self._grid))

    def _pasted(self, seen: _Seen, card: ModelCard, organ: str) -> ProbabilityField:
        values = seen.values[card.output(organ)].astype(np.float32, copy=False)
        field = paste_field(values, seen.patch.grid, self._grid, seen.patch.slices, card.threshold)
        return field if seen.patch.box is None else within(seen.patch.box, self._grid, field)

    def _look(
        self, organ: str, network: TorchScriptNetwork, side: float, in_time: Callable[[], None]
    ) -> _Seen:
        """What the network says of the patch that holds all its organs (of one side)."""
        card = network.card
        if card.region_from.source == "localization":
            return self._look_and_grow(network, side, in_time)
        source = card.source_organ(organ)
        patch = volume_patch(self._grid, card) if source is None else self._about(source, card)
        return _Seen(patch, self._run(network, patch, side, in_time))

    def _look_and_grow(
        self, network: TorchScriptNetwork, side: float, in_time: Callable[[], None]
    ) -> _Seen:
        card = network.card
        found = [
            self._localizations[organ]
            for organ in card.organs
            if organ in self._localizations and (not card.sided or card.side(organ) == side)
        ]
        present = [item for item in found if item.present]
        grown = 0.0
        for attempt in range(GROWTHS + 1):
            patch = localized_patch(self._grid, present, card, grown)
            values = self._run(network, patch, side, in_time)
            touched = any(_touches_border(each, card.threshold) for each in values)
            if attempt == GROWTHS or not touched:
                break
            grown += GROWTH_MM
        return _Seen(patch, values)

    def _about(self, source: str, card: ModelCard) -> Patch:
        found = self.segment(source)
        if found.field is None:
            status = Status.ABSENT if found.status is Status.ABSENT else Status.FAILED
            flag = Flag.of(
                FlagCode.REGION_ORGAN_MISSING,
                organ=source,
                status=found.status.replace("_", " "),
                codes=[flag.code for flag in found.flags],
            )
            raise _NotSegmentedError(status, flag)
        return organ_patch(self._grid, found.field, card)

    def _run(
        self, network: TorchScriptNetwork, patch: Patch, side: float, in_time: Callable[[], None]
    ) -> NDArray[np.float32]:
        """(organs, planes or z, y, x) probabilities."""
        card = network.card
        batch = input_batch(self._images, card, patch.grid, side)
        if card.dimensions == 2:
            return np.asarray(np.moveaxis(network.probabilities(batch, in_time), 1, 0))
        if card.region_from.source == "volume" and min(card.patch_mm) > 0:
            z, y, x = (
                -(-round(extent / step) // card.multiple) * card.multiple
                for extent, step in zip(card.patch_mm, card.spacing_mm, strict=True)
            )
            return tiled(network, batch, (z, y, x), in_time)
        return np.asarray(network.probabilities(batch, in_time)[0])

    def _refuse_absent(self, organ: str, card: ModelCard) -> None:
        localization = self._localizations.get(organ)
        if localization is None and card.region_from.source == "localization":
            raise _NotSegmentedError(Status.FAILED, Flag.of(FlagCode.NO_SEARCH_REGION))
        if localization is not None and not localization.present:
            raise _NotSegmentedError(Status.ABSENT)


def described(grid: Grid, field: ProbabilityField, result: Segmentation) -> Segmentation:
    """The result with its field, volume and slices; truncated where the field of view cuts it."""
    mask = field.mask
    if not mask.any():
        raise _nothing(result)
    planes = mask.sum(axis=(1, 2))
    pixel_mm2 = grid.spacing_yx[0] * grid.spacing_yx[1]
    found = result.localization
    cut = cut_sides(field, grid, found.cut if found else frozenset())
    return replace(
        result,
        status=Status.TRUNCATED if cut else Status.SEGMENTED,
        field=field,
        flags=(Flag.of(FlagCode.FIELD_OF_VIEW, sides=sorted(cut)),) if cut else (),
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


def _refuse_crumbs(result: Segmentation, card: ModelCard) -> None:
    least = card.least_cc.get(result.organ, 0.0)
    if result.volume_cc < least:
        flag = Flag.of(FlagCode.TOO_SMALL, volume_cc=result.volume_cc, limit_cc=least)
        raise _NotSegmentedError(Status.ABSENT, flag)


def _nothing(result: Segmentation) -> _NotSegmentedError:
    """What an empty mask means: an error only where somebody else saw the organ."""
    if result.localization is None or result.localization.by_neighbours:
        return _NotSegmentedError(Status.ABSENT, Flag.of(FlagCode.NOT_IN_REGION))
    return _NotSegmentedError(Status.FAILED, Flag.of(FlagCode.NOTHING_FOUND))


def _touches_border(values: NDArray[np.float32], threshold: float) -> bool:
    """Whether the organ reaches the in-plane border of its patch."""
    inside = values >= threshold
    return bool(inside[:, (0, -1), :].any() or inside[:, :, (0, -1)].any())


def _clipped(field: ProbabilityField, patch: Patch, grid: Grid) -> bool:
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
