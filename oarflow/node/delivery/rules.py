"""Which destinations a study has: the first rule that fits decides."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from oarflow.node.settings.delivery import DeliverySettings, Rule


@dataclass(frozen=True)
class Origin:
    """What rules look at; empty where the images do not say."""

    calling_ae: str = ""
    station: str = ""
    study_description: str = ""
    series_description: str = ""


def destinations(settings: DeliverySettings, origin: Origin) -> tuple[str, ...]:
    """Names of the destinations, each once."""
    for rule in settings.rules:
        if fits(rule, origin):
            return tuple(dict.fromkeys(rule.to))
    return tuple(dict.fromkeys(settings.otherwise))


def fits(rule: Rule, origin: Origin) -> bool:
    """Whether every pattern fits."""
    return (
        _fits(rule.calling_ae, origin.calling_ae)
        and _fits(rule.station, origin.station)
        and _fits(rule.study_description, origin.study_description)
        and _fits(rule.series_description, origin.series_description)
    )


def _fits(pattern: str, value: str) -> bool:
    return fnmatchcase(value.strip().casefold(), pattern.strip().casefold())
