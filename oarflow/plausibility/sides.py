"""What speaks for a cut on one side of a contour, taken together.

A cut may be blunt no more than some good ends are, and fall short of what the localizer saw no more
than some good contours do. That both happen on one side is rare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from oarflow.faces import FACES
from oarflow.plausibility.signs import TOWARD
from oarflow.priors import Spread
from oarflow.structures import Side

SpreadOf = Callable[[str], Spread | None]
"""The spread of a sign, by its name."""


@dataclass(frozen=True)
class Cut:
    """One side. score: Stouffer's sum of its signs' scores, again in standard deviations.

    words: what its signs say, in figures.
    """

    side: Side
    score: float
    words: str


def cuts(signs: Mapping[str, float], spread_of: SpreadOf) -> Iterator[Cut]:
    """Every side of which at least two signs are known. signs: figures of one contour, by name."""
    for axis, faces in enumerate(FACES):
        for high, side in enumerate(faces):
            found = list(_evidence(signs, spread_of, side, axis, high=bool(high)))
            if len(found) > 1:
                score = sum(score for score, _ in found) / math.sqrt(len(found))
                said = ", ".join(words for score, words in found if score > 0)
                words = f"looks cut off on its {side.value} side, all signs together: {said}"
                yield Cut(side, score, words)


def _evidence(
    signs: Mapping[str, float], spread_of: SpreadOf, side: Side, axis: int, *, high: bool
) -> Iterator[tuple[float, str]]:
    """Score, positive where it speaks for a cut, and words of each sign of a side."""
    for name, told in (
        (f"end_{side.value}", "{:.0%} of its full breadth there, usually {:.0%}"),
        (f"beyond_{side.value}", "{:.0%} of what lies beyond looks like it, usually {:.0%}"),
    ):
        value, spread = signs.get(name), spread_of(name)
        if value is not None and spread is not None:
            yield spread.score(value), told.format(value, spread.median)
    value, spread = signs.get(f"face_{side.value}"), spread_of(f"face_{side.value}")
    if value is not None and spread is not None:
        short = abs(value - spread.median)
        words = f"{short:.0f} mm less far toward {TOWARD[axis][high]} than the localizer saw"
        yield spread.score(value) * (-1 if high else 1), words
