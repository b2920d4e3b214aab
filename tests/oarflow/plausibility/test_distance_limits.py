"""Limits of the distance between two networks' contours."""

from __future__ import annotations

from oarflow.organs import load_catalogue
from oarflow.plausibility.distance_limits import FILE, DistanceLimits, load_distance_limits

CATALOGUE = load_catalogue()


def test_organs_that_were_not_measured_get_a_guess_by_their_size() -> None:
    limits = DistanceLimits({"Brainstem": 2.5}, 3.0, 1.5, "")
    found = {name: limits.of(CATALOGUE.organ(name)) for name in ("Brainstem", "Lens_L", "Brain")}
    assert {name: (one.mm, one.measured) for name, one in found.items()} == {
        "Brainstem": (2.5, True),
        "Lens_L": (1.5, False),
        "Brain": (3.0, False),
    }


def test_the_shipped_limits_are_read_as_they_were_written() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert DistanceLimits.read(text).as_json() == text
    assert load_distance_limits().measured_mm.keys() <= set(CATALOGUE.names)
