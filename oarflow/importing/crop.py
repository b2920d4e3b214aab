"""The part of a CT in which an imported network runs, as the user states it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from oarflow.importing.errors import NotImportedError
from oarflow.networks.card import Role
from oarflow.networks.cards import Card
from oarflow.networks.imported.card import CropRule
from oarflow.organs import Catalogue

LOCALIZING = (Role.LOCALIZER, Role.FUSION)


def crop_rule(
    names: Sequence[str], margin_mm: float, catalogue: Catalogue, cards: Mapping[str, Card]
) -> CropRule:
    """The rule. names: of organs that a network of these cards localizes; none: the whole CT.

    Raises NotImportedError.
    """
    if not (math.isfinite(margin_mm) and margin_mm >= 0):
        raise NotImportedError(f"--crop-margin is {margin_mm:g}: give it in mm, 0 or more")
    known = {organ for card in cards.values() if card.role in LOCALIZING for organ in card.organs}
    organs = []
    for name in names:
        organ = catalogue.resolve(name)
        if organ is None or organ.name not in known:
            raise NotImportedError(
                f"--crop-organs names {name!r:.40}, which the localization network does not find:"
                f" choose from {', '.join(sorted(known))}"
            )
        organs.append(organ.name)
    return CropRule(organs=tuple(dict.fromkeys(organs)), margin_mm=margin_mm)
