"""Which study goes where, how long is waited, and which settings are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from oarflow.node.delivery.pauses import due, pause_after
from oarflow.node.delivery.rules import RoutingAttributes, destinations
from oarflow.node.settings.delivery import DeliverySettings, Retry

FOLDER = {"kind": "folder", "path": "/srv/share"}


def settings(**changes: Any) -> DeliverySettings:
    names = ("eclipse", "monaco", "pacs")
    return DeliverySettings.model_validate(
        {"destinations": dict.fromkeys(names, FOLDER), **changes}
    )


RULES = settings(
    rules=[
        {"calling_ae": "CT1", "study_description": "*hals*", "to": ["eclipse", "pacs", "pacs"]},
        {"station": "LINAC?", "to": ["monaco"]},
        {"series_description": "[xy]-ray", "to": []},
    ],
    otherwise=["pacs"],
)


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        (RoutingAttributes("CT1", "", "Kopf HALS Bestrahlung"), ("eclipse", "pacs")),
        (RoutingAttributes("CT2", "", "Kopf HALS Bestrahlung"), ("pacs",)),
        (RoutingAttributes("ct1 ", "", "hals"), ("eclipse", "pacs")),
        (RoutingAttributes("CT1", "linac2", "hals"), ("eclipse", "pacs")),
        (RoutingAttributes("CT2", "LINAC22"), ("pacs",)),
        (RoutingAttributes("CT2", "LINAC2"), ("monaco",)),
        (RoutingAttributes(series_description="x-ray"), ()),
        (RoutingAttributes(), ("pacs",)),
    ],
)
def test_the_first_rule_that_fits_decides(
    study: RoutingAttributes, expected: tuple[str, ...]
) -> None:
    assert destinations(RULES, study) == expected


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"otherwise": ["nowhere"]}, "no destination 'nowhere'; known are: eclipse, monaco, pacs"),
        ({"destinations": {"Jane Doe": FOLDER}}, "String should match pattern"),
        (
            {
                "destinations": {
                    "pacs": {"kind": "dicomweb", "url": "http://a", "objects": ["REPORT_PDF"]}
                }
            },
            "REPORT_PDF is not DICOM: only folders take it",
        ),
        (
            {"destinations": {"pacs": {"kind": "dicomweb", "url": "http://u:p@a"}}},
            "String should match pattern",
        ),
    ],
)
def test_settings_that_make_no_sense(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint.replace("?", r"\?")):
        settings(**changes)


def test_pauses_grow_and_end_after_a_day() -> None:
    retry = Retry()
    pauses = []
    while (pause := pause_after(len(pauses) + 1, retry)) is not None:
        pauses.append(pause)
    assert pauses[:4] == [timedelta(seconds=s) for s in (30, 60, 120, 240)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=1)
    assert timedelta(hours=23) <= sum(pauses, timedelta()) <= timedelta(hours=24)


def test_what_a_person_must_mend_is_tried_every_hour_and_as_often() -> None:
    """docs/how-to/deliver.md has the number of attempts and the hours."""
    retry = Retry()
    pauses = []
    while (pause := pause_after(len(pauses) + 1, retry, longest=True)) is not None:
        pauses.append(pause)
    assert pauses == [timedelta(hours=1)] * 29
    assert pause_after(29, retry) is not None
    assert pause_after(30, retry) is None


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (timedelta(seconds=-1), True),
        (timedelta(minutes=30), False),
        (timedelta(days=400), True),
    ],
)
def test_a_clock_that_was_set_back_stops_nothing(ahead: timedelta, expected: bool) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert due(moment + ahead, moment, Retry()) is expected
