"""Limits of the signs, calibrated on training patients.

`limits.json` beside this module holds them; `oarflow evaluate calibrate` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from oarflow.plausibility.signs import Family
from oarflow.priors import Priors, Spread, read_spreads

FILE = Path(__file__).with_name("limits.json")


@dataclass(frozen=True, eq=False)
class Limits:
    """Calibrated limits.

    families: greatest score, in standard deviations, of a sign by its family.
    networks: by organ and sign, spreads over the networks' own contours: agreement with the
        localizer, and uncertainty. models: sha256 of the measured networks, by folder.
    command: the command that measured them.
    """

    families: Mapping[Family, float]
    networks: Mapping[str, Mapping[str, Spread]]
    models: Mapping[str, str]
    command: str = ""

    def as_json(self) -> str:
        """The text of `limits.json`."""
        rows = ",\n".join(
            f"{json.dumps(organ)}: "
            f"{json.dumps({name: spread.stored() for name, spread in named.items()})}"
            for organ, named in self.networks.items()
        )
        limits = json.dumps({family.value: limit for family, limit in self.families.items()})
        models = json.dumps(dict(self.models), indent=1)
        return (
            f'{{\n"command": {json.dumps(self.command)},\n"families": {limits},\n'
            f'"models": {models},\n"networks": {{\n{rows}\n}}\n}}\n'
        )

    @classmethod
    def read(cls, text: str) -> Limits:
        """From `as_json`."""
        plain = json.loads(text)
        return cls(
            {Family(name): float(limit) for name, limit in plain["families"].items()},
            {organ: read_spreads(named) for organ, named in plain["networks"].items()},
            plain["models"],
            plain["command"],
        )


@dataclass(frozen=True, eq=False)
class Measures:
    """The figures for comparison: spreads of reference contours, and the calibrated limits."""

    priors: Priors
    limits: Limits

    def spread(self, organ: str, sign: str) -> Spread | None:
        """A sign's spread: over the networks' own contours, or else over reference contours."""
        return self.limits.networks.get(organ, {}).get(sign) or self.priors.sign(organ, sign)


@lru_cache(maxsize=1)
def load_limits() -> Limits:
    """The limits that come with the program."""
    return Limits.read(FILE.read_text(encoding="utf-8"))
