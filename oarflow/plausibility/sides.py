"""What speaks for a cut on one side of a contour, taken together.

A cut may be blunt no more than some good ends are, and fall short of what the localizer saw no more
than some good contours do. That both happen on one side is rare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from oarflow.faces import FACES
from oarflow.priors import Spread
from oarflow.structures import Side

SpreadOf = Callable[[str], Spread | None]
"""The spread of a sign, by its name."""


@dataclass(frozen=True)
class Cut:
    """One side. score: Stouffer's sum of its signs' scores, again in standard deviations."""

    side: Side
    score: float


def cuts(signs: Mapping[str, float], spread_of: SpreadOf) -> Iterator[Cut]:
    """Every side of which at least two signs are known. signs: figures of one contour, by name."""
    for faces in FACES:
        for high, side in enumerate(faces):
            scores = list(_scores(signs, spread_of, side, high=bool(high)))
            if len(scores) > 1:
                yield Cut(side, sum(scores) / math.sqrt(len(scores)))


def _scores(
    signs: Mapping[str, float], spread_of: SpreadOf, side: Side, *, high: bool
) -> Iterator[float]:
    """The score of each sign of a side, positive where it speaks for a cut."""
    for name in (f"end_{side.value}", f"beyond_{side.value}", f"face_{side.value}"):
        value, spread = signs.get(name), spread_of(name)
        if value is not None and spread is not None:
            inward = -1 if high and name.startswith("face") else 1
            yield spread.score(value) * inward
