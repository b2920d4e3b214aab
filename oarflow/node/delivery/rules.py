"""The rules that choose the destinations of a study; the first that matches decides."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from oarflow.node.settings.delivery import DeliveryRule, DeliverySettings


@dataclass(frozen=True)
class RoutingAttributes:
    """The attributes that rules match; empty if the images lack them."""

    calling_ae: str = ""
    station: str = ""
    study_description: str = ""
    series_description: str = ""


def destinations(settings: DeliverySettings, study: RoutingAttributes) -> tuple[str, ...]:
    """Names of the destinations, each once."""
    for rule in settings.rules:
        if fits(rule, study):
            return tuple(dict.fromkeys(rule.to))
    return tuple(dict.fromkeys(settings.otherwise))


def fits(rule: DeliveryRule, study: RoutingAttributes) -> bool:
    """Whether every pattern of a rule matches."""
    return (
        _fits(rule.calling_ae, study.calling_ae)
        and _fits(rule.station, study.station)
        and _fits(rule.study_description, study.study_description)
        and _fits(rule.series_description, study.series_description)
    )


def _fits(pattern: str, value: str) -> bool:
    return fnmatchcase(value.strip().casefold(), pattern.strip().casefold())
