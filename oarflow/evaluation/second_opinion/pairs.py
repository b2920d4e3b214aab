"""Contours of one patient's organs by two networks, made once and kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oarflow.datasets.cases import Case
from oarflow.errors import ConfigurationError
from oarflow.evaluation.limits.predictions import volume_of
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.store import ModelStore
from oarflow.segmentation.imported import ImportedOrgans
from oarflow.segmentation.search import find_organs
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import ProbabilityField
from oarflow.volume import Volume

LOGGER = logging.getLogger(__name__)

WHICH = ("first", "second")


@dataclass(frozen=True, eq=False)
class ContourPair:
    """One organ by two networks. None where a network found nothing."""

    first: ProbabilityField | None
    second: ProbabilityField | None


class ContourPairs:
    """Contours by networks that ship and by an imported network, on the same search regions."""

    def __init__(self, first: Path, models: Path, name: str, cache: Path) -> None:
        """first: folder of networks. models, name: the imported network's folders.

        cache: of contours already made, by the networks' cards. A change of the program does not
        empty it.
        """
        self._first = ModelStore.open(first)
        store = ModelStore.open(models)
        card = _imported_card(store, name)
        self._second = store.imported(card)
        known = self._first.organs
        self.organs = tuple(organ for organ in card.organs if organ in known)
        own = [self._first.card(organ) for organ in self.organs]
        digests = [each.digest for each in (*self._first.localizing_cards, *own, card)]
        self._folder = cache / hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
        self._folder.mkdir(parents=True, exist_ok=True)

    def made(self, ids: Iterable[str]) -> list[str]:
        """Those of the patients whose contours are in the cache."""
        return [one for one in ids if (self._folder / f"{one}.npz").is_file()]

    def of(self, case: Case) -> Mapping[str, ContourPair]:
        """The contours of a case, by organ."""
        stored = self._folder / f"{case.id}.npz"
        if not stored.is_file():
            self._contour(volume_of(case), stored)
            LOGGER.info("%s contoured by both", case.id)
        with np.load(stored) as arrays:
            return {
                organ: ContourPair(*(_field(arrays, which, organ) for which in WHICH))
                for organ in self.organs
            }

    def _contour(self, volume: Volume, target: Path) -> None:
        localizations = find_organs(volume, self._first)
        segmenter = Segmenter(volume, localizations, self._first)
        second = ImportedOrgans(volume, self._second, localizations)
        arrays = {}
        for organ in self.organs:
            fields = (segmenter.segment(organ).field, second.field(organ))
            for which, field in zip(WHICH, fields, strict=True):
                if field is not None and field.mask.any():
                    above = field.values - np.float32(field.threshold)
                    arrays[f"{which}_{organ}"] = above.astype(np.float16)
                    arrays[f"{which}_{organ}_offset"] = np.array(field.offset)
        part = target.with_suffix(".part")
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        part.rename(target)


def network_words(models: Path, name: str) -> str:
    """An imported network in words. Raises ConfigurationError USAGE."""
    card = _imported_card(ModelStore.open(models), name)
    return f"{card.name} {card.version} ({card.source.origin})"


def _imported_card(store: ModelStore, name: str) -> ImportedCard:
    card = store.cards.get(name)
    if not isinstance(card, ImportedCard):
        raise ConfigurationError("USAGE", f"{store.folder} holds no imported network {name!r}")
    return card


def _field(arrays: Mapping[str, NDArray[Any]], which: str, organ: str) -> ProbabilityField | None:
    """A stored field. Its values are stored as differences from its threshold."""
    key = f"{which}_{organ}"
    if key not in arrays:
        return None
    z, y, x = (int(index) for index in arrays[f"{key}_offset"])
    return ProbabilityField(arrays[key].astype(np.float32) + 0.5, (z, y, x), threshold=0.5)
