"""Contours one organ after another: patch, probability field, status (SLICE, section 2)."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace

from oarflow.faces import cut_sides
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.networks.backend import TorchScriptNetwork
from oarflow.networks.card import ModelCard
from oarflow.networks.cards import Card
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.preprocessing import Images
from oarflow.networks.rule_card import RuleCard
from oarflow.networks.store import ModelStore
from oarflow.rules.rule import DEFAULT_OPTIONS, RuleInput, RuleOptions
from oarflow.segmentation.imported import ImportedOrgans
from oarflow.segmentation.mr import NO_MR, RegisteredMr
from oarflow.segmentation.patches import Patch, organ_patch, volume_patch
from oarflow.segmentation.predictions import BeforeBatch, Prediction, Predictor
from oarflow.segmentation.ruled import Ruled
from oarflow.segmentation.whole_slices import bounds_mm
from oarflow.structures import Localization, ProbabilityField, Segmentation, Status
from oarflow.volume import Volume

LOGGER = logging.getLogger(__name__)


class _NotSegmentedError(Exception):
    """An organ gets no contour. Holds its status and the flags with the reason."""

    def __init__(self, status: Status, *flags: Flag) -> None:
        self.status = status
        self.flags = flags
        super().__init__(status)


class Segmenter:
    """Contours all organs of one study, in any order. What contours several organs runs once.

    If an organ's network starts from another organ's contour, that organ is contoured first, once.
    Without a usable MR, an organ uses a network that needs none, if there is one.
    """

    def __init__(
        self,
        volume: Volume,
        localizations: Mapping[str, Localization],
        store: ModelStore,
        mr: RegisteredMr = NO_MR,
        *,
        shifts: bool = False,
        rules: RuleOptions = DEFAULT_OPTIONS,
    ) -> None:
        """shifts: run each network a second time on a shifted patch to measure its stability."""
        self._volume = volume
        self._grid = volume.grid
        axes = (volume.grid.axis_mm(0), volume.grid.axis_mm(1), volume.grid.axis_mm(2))
        self._predictor = Predictor(self._grid, Images(volume.hu, axes, mr.values))
        self._localizations = localizations
        self._store = store
        self._mr = mr
        self._shifts = shifts
        self._predictions: dict[tuple[str, tuple[str, ...], float], Prediction] = {}
        self._done: dict[str, Segmentation] = {}
        self._imported: dict[str, ImportedOrgans] = {}
        self._networks: list[Card | RuleCard] = []
        self._ruled = Ruled(RuleInput(volume, localizations, self._neighbour, rules))

    @property
    def networks(self) -> tuple[Card | RuleCard, ...]:
        """Cards of the networks and rules that were used so far, the first used first."""
        return tuple(self._networks)

    def segment(self, organ: str, deadline: float | None = None) -> Segmentation:
        """One organ; its own trouble ends in a status, not in an exception.

        deadline: time.monotonic() after which the organ is failed: timeout.
        """
        if organ not in self._done:
            rule = self._store.rule(organ)
            if rule is None:
                self._done[organ] = self._segment(organ, deadline)
            else:
                self._done[organ] = self._ruled.segment(organ, rule)
                if rule not in self._networks:
                    self._networks.append(rule)
        return self._done[organ]

    def _neighbour(self, organ: str) -> ProbabilityField | None:
        return self.segment(organ).field if organ in self._store.organs else None

    def _segment(self, organ: str, deadline: float | None) -> Segmentation:
        if organ not in self._store.organs:
            return Segmentation(organ, Status.NO_MODEL)
        card = self._store.card(organ, mr=self._mr.values is not None)
        localization = self._localizations.get(organ)
        if isinstance(card, ImportedCard) and localization is not None and not localization.present:
            return Segmentation(
                organ, Status.ABSENT, model=card.identity, localization=localization
            )
        return self.segment_with(card, organ, deadline)

    def segment_with(self, card: Card, organ: str, deadline: float | None = None) -> Segmentation:
        """One organ by the network of a card of the store, whichever network `segment` uses."""
        started = time.monotonic()
        blank = Segmentation(
            organ,
            Status.FAILED,
            model=card.identity,
            localization=self._localizations.get(organ),
        )
        try:
            if isinstance(card, ImportedCard):
                notes = (*self._search_notes(organ), *side_notes(card, organ))
                blank = replace(blank, notes=notes)
                field = self._imported_field(organ, card, deadline)
                result = with_measurements(blank, field, self._grid)
                result = with_orientation_doubt(result, card)
            else:
                network = self._network(card)
                blank = replace(blank, notes=self._notes(card, organ))
                field = self._field(organ, network, deadline)
                result = with_measurements(blank, field, self._grid)
                _refuse_crumbs(result, card)
        except _NotSegmentedError as reason:
            result = replace(blank, status=reason.status, flags=reason.flags)
        except Exception:
            LOGGER.exception("organ %s failed", organ)
            result = replace(blank, flags=(Flag.of(FlagCode.NETWORK_ERROR),))
        return replace(result, seconds=time.monotonic() - started)

    def _network(self, card: ModelCard) -> TorchScriptNetwork:
        if card.needs_mr and self._mr.values is None:
            reason = self._mr.trouble or "none was given"
            raise _NotSegmentedError(Status.FAILED, Flag.of(FlagCode.NEEDS_MR, reason=reason))
        return self._store.network(card)

    def _search_notes(self, organ: str) -> tuple[str, ...]:
        localization = self._localizations.get(organ)
        if localization is None or not localization.by_neighbours:
            return ()
        return (
            "searched where other organs predict it (the localization network does not know it)",
        )

    def _notes(self, card: ModelCard, organ: str) -> tuple[str, ...]:
        notes = [*self._search_notes(organ)]
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
        in_time = _until(deadline)
        card = network.card
        if card.region_from.source != "organ":
            self._refuse_absent(organ, card)
        side = card.side(organ) if card.sided else 0.0
        key = (card.sha256, card.organs, side)
        prediction = self._predictions.get(key)
        if prediction is None:
            prediction = self._predict(organ, network, side, in_time)
            if card not in self._networks:
                self._networks.append(card)
        if card.outputs > 1:  # only results for several organs are kept
            self._predictions[key] = prediction
        return self._predictor.field(prediction, card, organ)

    def _imported_field(
        self, organ: str, card: ImportedCard, deadline: float | None
    ) -> ProbabilityField:
        """The organ's field by an imported network, which runs once for all its organs."""
        key = card.digest
        if key not in self._imported:
            network = self._store.imported(card)
            self._imported[key] = ImportedOrgans(self._volume, network, self._localizations)
        field = self._imported[key].field(organ, _until(deadline))
        if card not in self._networks:
            self._networks.append(card)
        return field

    def _predict(
        self, organ: str, network: TorchScriptNetwork, side: float, in_time: BeforeBatch
    ) -> Prediction:
        """The network's result for the patch that holds all its organs (of one side)."""
        card, predictor = network.card, self._predictor
        if card.region_from.source == "localization":
            present = self._present(card, side)
            prediction = predictor.predict_around(network, present, side, in_time)
        else:
            prediction = predictor.predict(network, self._patch(organ, card), side, in_time)
        # Whole slices and volumes have no patch that could be shifted.
        if self._shifts and card.region_from.source != "volume":
            return predictor.with_second_look(prediction, network, side, in_time)
        return prediction

    def _present(self, card: ModelCard, side: float) -> list[Localization]:
        """Localizations of the network's organs in the scan; of one side if it is sided."""
        found = [
            self._localizations[organ]
            for organ in card.organs
            if organ in self._localizations and (not card.sided or card.side(organ) == side)
        ]
        return [item for item in found if item.present]

    def _patch(self, organ: str, card: ModelCard) -> Patch:
        """Where the organs can lie, or the box of the organ from which the network starts."""
        source = card.source_organ(organ)
        if source is None:
            asked = (name for name in card.organs if self._store.rule(name) is None)
            bounds = bounds_mm(asked, self._localizations, self._grid)
            return volume_patch(self._grid, card, bounds)
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

    def _refuse_absent(self, organ: str, card: ModelCard) -> None:
        localization = self._localizations.get(organ)
        if localization is None and card.region_from.source == "localization":
            raise _NotSegmentedError(Status.FAILED, Flag.of(FlagCode.NO_SEARCH_REGION))
        if localization is not None and not localization.present:
            raise _NotSegmentedError(Status.ABSENT)


def _until(deadline: float | None) -> BeforeBatch:
    """Called before every batch: ends the organ after its deadline."""

    def in_time() -> None:
        if deadline is not None and time.monotonic() > deadline:
            raise _NotSegmentedError(Status.FAILED, Flag.of(FlagCode.ORGAN_TIME_LIMIT))

    return in_time


def with_measurements(result: Segmentation, field: ProbabilityField, grid: Grid) -> Segmentation:
    """The result with its field, volume and slices; truncated where the field of view cuts it."""
    if not field.mask.any():
        raise _nothing(result)
    found = result.localization
    cut = cut_sides(field, grid, found.cut if found else frozenset())
    return replace(
        result.with_field(field, grid),
        status=Status.TRUNCATED if cut else Status.SEGMENTED,
        flags=(Flag.of(FlagCode.FIELD_OF_VIEW, sides=sorted(cut)),) if cut else (),
    )


def with_orientation_doubt(result: Segmentation, card: ImportedCard) -> Segmentation:
    """The result, flagged where nothing has proved how the network's training images lay."""
    if card.orientation_proof != "unproven":
        return result
    code, network = FlagCode.ORIENTATION_UNPROVEN, card.name
    flag = Flag.of(code, network=network, orientation=card.orientation)
    return replace(result, status=Status.SUSPICIOUS, flags=(*result.flags, flag))


def side_notes(card: ImportedCard, organ: str) -> tuple[str, ...]:
    """A note on an organ whose side the network does not know."""
    if card.contour(organ).side is None:
        return ()
    return ("left and right were divided at the patient's middle, not by the network",)


def _refuse_crumbs(result: Segmentation, card: ModelCard) -> None:
    least = card.least_cc.get(result.organ, 0.0)
    if result.volume_cc < least:
        flag = Flag.of(FlagCode.TOO_SMALL, volume_cc=result.volume_cc, limit_cc=least)
        raise _NotSegmentedError(Status.ABSENT, flag)


def _nothing(result: Segmentation) -> _NotSegmentedError:
    """The meaning of an empty mask: an error only if the localizer saw the organ."""
    if result.localization is None or result.localization.by_neighbours:
        return _NotSegmentedError(Status.ABSENT, Flag.of(FlagCode.NOT_IN_REGION))
    return _NotSegmentedError(Status.FAILED, Flag.of(FlagCode.NOTHING_FOUND))
