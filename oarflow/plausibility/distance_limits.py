"""How far the contours of two networks may lie apart, by organ.

`distance_limits.json` beside this module holds the limits. `oarflow evaluate second-opinion` writes
those that were measured on patients. Those of all other organs are guesses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from oarflow.organs import Organ

FILE = Path(__file__).with_name("distance_limits.json")

SMALL_CC = 5.0
"""An organ is small if its greatest plausible volume in the catalogue is at most this, in cm3."""


@dataclass(frozen=True)
class DistanceLimit:
    """Greatest mean surface distance of two good contours, in mm.

    measured: whether patients gave it; otherwise it is a guess.
    """

    mm: float
    measured: bool


@dataclass(frozen=True)
class DistanceLimits:
    """Limits in mm.

    measured_mm: by organ. guess_mm, small_guess_mm: of organs that were not measured; the second
    one of small organs. command: the command that measured them.
    """

    measured_mm: Mapping[str, float]
    guess_mm: float
    small_guess_mm: float
    command: str

    def of(self, organ: Organ) -> DistanceLimit:
        """The limit of an organ: a measured one, or else a guess."""
        if organ.name in self.measured_mm:
            return DistanceLimit(self.measured_mm[organ.name], measured=True)
        small = organ.volume_cc[1] <= SMALL_CC
        return DistanceLimit(self.small_guess_mm if small else self.guess_mm, measured=False)

    def as_json(self) -> str:
        """The text of `distance_limits.json`."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def read(cls, text: str) -> DistanceLimits:
        """From `as_json`."""
        return cls(**json.loads(text))


@lru_cache(maxsize=1)
def load_distance_limits() -> DistanceLimits:
    """The limits that come with the program."""
    return DistanceLimits.read(FILE.read_text(encoding="utf-8"))
