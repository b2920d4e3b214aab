"""The rules that choose the destinations of a study; the first that matches decides."""

from __future__ import annotations

from dataclasses import dataclass

from oarflow.node.settings.delivery import DeliveryRule, DeliverySettings
from oarflow.patterns import matches_whole


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
        matches_whole(rule.calling_ae, study.calling_ae)
        and matches_whole(rule.station, study.station)
        and matches_whole(rule.study_description, study.study_description)
        and matches_whole(rule.series_description, study.series_description)
    )
