"""Measured tables: spreads, offsets both ways, search regions, and what is shipped."""

from __future__ import annotations

import math

import numpy as np
import pytest

from oarflow.organs import load_catalogue
from oarflow.priors import Priors, Spread, load_priors

NORMAL = Spread(100, 10.0, 2.0, 4.0)


def test_a_spread_has_two_sides() -> None:
    assert NORMAL.score(18.0) == pytest.approx(2.0)
    assert NORMAL.score(6.0) == pytest.approx(-2.0)
    assert NORMAL.bound(2.0) == pytest.approx(18.0)
    assert NORMAL.mirrored.score(-18.0) == pytest.approx(-2.0)


def test_a_spread_of_a_normal_sample_is_its_deviation_whatever_a_few_labels_say() -> None:
    values = np.random.default_rng(1).normal(5.0, 3.0, 2000)
    values[:20] = 1e6
    found = Spread.of(list(values), 0.1)
    assert found.median == pytest.approx(5.0, abs=0.3)
    assert found.low == pytest.approx(3.0, rel=0.1)
    assert found.high == pytest.approx(3.0, rel=0.25)
    assert Spread.of([1.0, 1.0], 0.1).low == 0.1


def test_a_table_is_read_as_it_was_written() -> None:
    offsets = {("Larynx", "Brainstem"): (NORMAL, NORMAL, NORMAL)}
    priors = Priors({"Larynx": {"volume": NORMAL}}, offsets, ("here",), "command")
    read = Priors.read(priors.as_json())
    assert (read.signs, read.offsets) == (priors.signs, priors.offsets)
    assert (read.sources, read.command) == (priors.sources, priors.command)


def test_an_organ_is_searched_where_its_steadiest_neighbour_says() -> None:
    tight, loose = Spread(50, 60.0, 2.0, 2.0), Spread(50, 20.0, 9.0, 9.0)
    extent = Spread(50, 30.0, 3.0, 3.0)
    priors = Priors(
        {"Submandibular_L": {f"extent_{axis}": extent for axis in "zyx"}},
        {
            ("Submandibular_L", "Brainstem"): (tight, loose, loose),
            ("Bone_Mandible", "Submandibular_L"): (loose, tight, tight),
        },
    )
    places = {"Brainstem": (100.0, 0.0, 0.0), "Bone_Mandible": (50.0, 10.0, 20.0)}
    region = priors.search_region("Submandibular_L", places)
    assert region is not None
    assert region.centre_mm == pytest.approx((160.0, -50.0, -40.0))
    half = (30.0 + 1.645 * 3.0) / 2 + 2.5 * 2.0
    assert region.half_mm == pytest.approx((half, half, half))
    assert priors.search_region("Submandibular_L", {"Larynx": (0.0, 0.0, 0.0)}) is None
    assert priors.search_region("Larynx", places) is None


def test_the_shipped_tables_tell_left_from_right_and_up_from_down() -> None:
    priors = load_priors()
    between = priors.offset("Parotid_L", "Parotid_R")
    assert between is not None
    assert 80 < between[2].median < 140
    back = priors.offset("Parotid_R", "Parotid_L")
    assert back is not None
    assert back[2].median == -between[2].median
    below = priors.offset("Larynx", "Brainstem")
    assert below is not None
    assert below[0].median < -60
    region = priors.search_region("Glnd_Submand_L", {"Bone_Mandible": (0.0, 0.0, 0.0)})
    assert region is not None
    assert region.centre_mm[2] > 10


def test_the_shipped_volumes_are_the_catalogues() -> None:
    """Two sources of one fact: medians lie in the catalogue's range."""
    catalogue = load_catalogue()
    for organ, signs in load_priors().signs.items():
        least, most = catalogue.organ(organ).volume_cc
        if "volume" in signs:
            assert least < math.exp(signs["volume"].median) < most, organ
