"""The networks that the settings choose for an organ: the one that contours it, and others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from oarflow.errors import ConfigurationError
from oarflow.networks.cards import Card
from oarflow.networks.store import ModelStore
from oarflow.organs import Catalogue
from oarflow.run.settings import Settings, known_organ

T = TypeVar("T")


def preferred_networks(settings: Settings, catalogue: Catalogue) -> dict[str, str]:
    """`prefer` by the catalogue's names. Raises ConfigurationError: ORGAN_UNKNOWN, SETTINGS."""
    return _by_organ("prefer", settings.prefer, catalogue)


def second_opinions(
    settings: Settings, catalogue: Catalogue, store: ModelStore
) -> dict[str, tuple[Card, ...]]:
    """The cards of the networks that are asked, too, by organ.

    store: with the networks that contour. Raises ConfigurationError: ORGAN_UNKNOWN, SETTINGS, and
    NETWORK_CHOICE where a network does not contour the organ, or contours it already.
    """
    asked = _by_organ("second_opinion", settings.second_opinion, catalogue)
    return {
        organ: tuple(
            _other_card(organ, name, store)
            for name in ([names] if isinstance(names, str) else dict.fromkeys(names))
        )
        for organ, names in asked.items()
    }


def _by_organ(key: str, values: Mapping[str, T], catalogue: Catalogue) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, value in values.items():
        organ = known_organ(name, catalogue)
        if organ in found:
            raise ConfigurationError("SETTINGS", f"{key} names {organ} twice")
        found[organ] = value
    return found


def _other_card(organ: str, name: str, store: ModelStore) -> Card:
    card = store.cards[store.network_of(organ, name)]
    by_rule = store.rule(organ) is not None
    if not by_rule and any(store.card(organ, mr=mr) is card for mr in (False, True)):
        raise ConfigurationError(
            "NETWORK_CHOICE",
            f"second_opinion: {name} contours {organ} itself; name another network",
        )
    return card
