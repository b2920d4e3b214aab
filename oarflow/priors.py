"""Measured tables: how contours of real patients look, and how organs lie relative to each other.

`priors.json` beside this module holds them, with their sources and the command that measured them
(`oarflow evaluate priors`). Lengths are along the axes of an axial volume (z, y, x): toward the
head, the back and the left, in mm.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from oarflow.types import Triple

FILE = Path(__file__).with_name("priors.json")

TAIL_PERCENT = 5.0
"""Spreads come from these percentiles on both sides, so that a few wrong labels do not matter."""

TAIL_SD = 1.645
"""Standard deviations from the middle of a normal distribution to that percentile."""

REGION_SD = 2.5
"""A search region reaches this many standard deviations of the offset beyond the organ."""


@dataclass(frozen=True)
class Spread:
    """The spread of a measured value over n contours.

    low, high: one standard deviation below and above the median, never 0.
    """

    n: int
    median: float
    low: float
    high: float

    def score(self, value: float) -> float:
        """How many standard deviations the value lies above the median; negative below."""
        away = value - self.median
        return away / (self.high if away > 0 else self.low)

    def bound(self, score: float) -> float:
        """The value with that score."""
        return self.median + score * (self.high if score > 0 else self.low)

    @property
    def mirrored(self) -> Spread:
        """The spread of the negative values."""
        return Spread(self.n, -self.median, self.high, self.low)

    def stored(self) -> list[float]:
        return [self.n, *(round(value, 4) for value in (self.median, self.low, self.high))]

    @classmethod
    def read(cls, stored: Sequence[float]) -> Spread:
        n, median, low, high = stored
        return cls(int(n), float(median), float(low), float(high))

    @classmethod
    def of(cls, values: Sequence[float], least: float) -> Spread:
        """The spread of at least one value. least: the smallest standard deviation to assume."""
        low, median, high = (
            float(v) for v in np.percentile(values, (TAIL_PERCENT, 50, 100 - TAIL_PERCENT))
        )
        return cls(
            len(values),
            median,
            max((median - low) / TAIL_SD, least),
            max((high - median) / TAIL_SD, least),
        )


@dataclass(frozen=True)
class SearchRegion:
    """The box in which to search an organ: centre and size, (z, y, x) in mm."""

    centre_mm: Triple
    half_mm: Triple


@dataclass(frozen=True, eq=False)
class Priors:
    """Spreads measured on reference contours.

    signs: by organ and sign (see `plausibility.signs`). offsets: by organ and other organ, the
    organ's centre minus the other's along (z, y, x), in mm. sources: the measured data sets, in
    words. command: the command that measured them.
    """

    signs: Mapping[str, Mapping[str, Spread]]
    offsets: Mapping[tuple[str, str], tuple[Spread, Spread, Spread]]
    sources: tuple[str, ...] = ()
    command: str = ""

    def sign(self, organ: str, name: str) -> Spread | None:
        """A sign's spread; None where it was not measured."""
        return self.signs.get(organ, {}).get(name)

    def offset(self, organ: str, other: str) -> tuple[Spread, Spread, Spread] | None:
        """The organ's centre minus the other's, along (z, y, x); None where not measured."""
        if (organ, other) in self.offsets:
            return self.offsets[organ, other]
        if (other, organ) in self.offsets:
            z, y, x = self.offsets[other, organ]
            return z.mirrored, y.mirrored, x.mirrored
        return None

    def search_region(self, organ: str, places: Mapping[str, Triple]) -> SearchRegion | None:
        """Where to look for an organ, given the centres (z, y, x) in mm of others.

        Along each axis, the neighbour whose offset varies least places the organ. None where the
        organ or all its neighbours are unknown.
        """
        sizes = [self.sign(organ, f"extent_{axis}") for axis in "zyx"]
        known = {
            other: offset
            for other in places
            if (offset := self.offset(organ, other)) is not None and other != organ
        }
        if not known:
            return None
        centre, half = [], []
        for axis, size in enumerate(sizes):
            if size is None:
                return None
            best = min(known, key=lambda other: known[other][axis].low + known[other][axis].high)
            away = known[best][axis]
            centre.append(places[best][axis] + away.median)
            half.append(size.bound(TAIL_SD) / 2 + REGION_SD * max(away.low, away.high))
        return SearchRegion((centre[0], centre[1], centre[2]), (half[0], half[1], half[2]))

    def as_json(self) -> str:
        """The text of `priors.json`: one organ or pair per line."""
        signs = {
            organ: {name: spread.stored() for name, spread in named.items()}
            for organ, named in self.signs.items()
        }
        offsets = {
            f"{organ} {other}": [spread.stored() for spread in axes]
            for (organ, other), axes in self.offsets.items()
        }
        parts = {"sources": list(self.sources), "command": self.command}
        text = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in parts.items()]
        text += [_lines("signs", signs), _lines("offsets", offsets)]
        return "{\n" + ",\n".join(text) + "\n}\n"

    @classmethod
    def read(cls, text: str) -> Priors:
        """From `as_json`."""
        plain = json.loads(text)
        offsets = {}
        for names, (z, y, x) in plain["offsets"].items():
            organ, other = names.split()
            offsets[organ, other] = (Spread.read(z), Spread.read(y), Spread.read(x))
        return cls(
            {organ: read_spreads(named) for organ, named in plain["signs"].items()},
            offsets,
            tuple(plain["sources"]),
            plain["command"],
        )


def read_spreads(stored: Mapping[str, Sequence[float]]) -> dict[str, Spread]:
    """Spreads by name, from their stored form."""
    return {name: Spread.read(values) for name, values in stored.items()}


def _lines(name: str, table: Mapping[str, Any]) -> str:
    rows = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
    return f"{json.dumps(name)}: {{\n{rows}\n}}"


@lru_cache(maxsize=1)
def load_priors() -> Priors:
    """The measured tables that come with the program."""
    return Priors.read(FILE.read_text(encoding="utf-8"))
