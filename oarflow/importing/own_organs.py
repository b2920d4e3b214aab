"""OARflow's own contours of a CT, which imported networks are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from oarflow.commissioning.shipped import is_shipped
from oarflow.intake import read_volume
from oarflow.locations import SAMPLE, default_models, shipped
from oarflow.networks.store import ModelStore
from oarflow.plausibility.anatomy import require_head_and_neck
from oarflow.segmentation.search import find_organs
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Localization, ProbabilityField, Status
from oarflow.volume import Volume

RELIABLE = (Status.SEGMENTED, Status.TRUNCATED)
"""Statuses of own contours that others are compared with."""


@dataclass(frozen=True, eq=False)
class OwnOrgans:
    """A CT and OARflow's own contours in it.

    ct: the CT in words, without patient data. localizations, fields: by organ.
    """

    ct: str
    volume: Volume
    localizations: Mapping[str, Localization]
    fields: Mapping[str, ProbabilityField]


def own_store() -> ModelStore:
    """The networks that OARflow ships, and no others. Raises ConfigurationError."""
    store = ModelStore.open(default_models())
    cards = {
        name: card for name, card in store.cards.items() if is_shipped(card.sha256, card.digest)
    }
    return replace(store, cards=cards)


def localized(folder: Path | None) -> OwnOrgans:
    """A CT with the localizer's results and no contours. folder: None for the shipped sample.

    Raises Refusal where it is no head and neck or cannot be read, ConfigurationError.
    """
    store = own_store()
    volume = read_volume(folder or shipped(SAMPLE) / "ct").volume
    found = find_organs(volume, store)
    require_head_and_neck(
        found, volume, lambda turned: find_organs(turned, store), store.sure_score
    )
    return OwnOrgans(_words(folder, volume), volume, found, {})


def own_organs(folder: Path | None, wanted: Iterable[str]) -> OwnOrgans:
    """OARflow's contours of the wanted organs, without those that it cannot contour on this CT.

    folder: of the CT; None for the shipped sample. Raises Refusal, ConfigurationError.
    """
    scene, store = localized(folder), own_store()
    segmenter = Segmenter(scene.volume, scene.localizations, store)
    known = [organ for organ in wanted if organ in store.organs]
    found = [item for item in map(segmenter.segment, known) if item.status in RELIABLE]
    return replace(scene, fields={item.organ: item.field for item in found if item.field})


def _words(folder: Path | None, volume: Volume) -> str:
    digest = f"voxels' SHA-256 {volume.source.pixel_digest[:16]}"
    return f"the shipped sample, {digest}" if folder is None else f"a CT, {digest}"
