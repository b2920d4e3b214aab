"""Combined evidence that a contour is cut on one side.

A single sign of a cut, such as a blunt end or a distance to the localizer's border, also occurs in
good contours. Several signs on one side are rare in good contours.
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
    """One side. score: Stouffer's sum of its signs' scores, in standard deviations."""

    side: Side
    score: float


def cuts(signs: Mapping[str, float], spread_of: SpreadOf) -> Iterator[Cut]:
    """Every side with at least two known signs. signs: figures of one contour, by name."""
    for faces in FACES:
        for high, side in enumerate(faces):
            scores = list(_scores(signs, spread_of, side, high=bool(high)))
            if len(scores) > 1:
                yield Cut(side, sum(scores) / math.sqrt(len(scores)))


def _scores(
    signs: Mapping[str, float], spread_of: SpreadOf, side: Side, *, high: bool
) -> Iterator[float]:
    """The score of each sign of a side; a positive score indicates a cut."""
    for name in (f"end_{side.value}", f"beyond_{side.value}", f"face_{side.value}"):
        value, spread = signs.get(name), spread_of(name)
        if value is not None and spread is not None:
            inward = -1 if high and name.startswith("face") else 1
            yield spread.score(value) * inward
