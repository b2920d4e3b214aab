"""An organ that the localizer does not know is looked for where its neighbours put it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.networks.card import Role
from oarflow.networks.store import ModelStore
from oarflow.plausibility.evidence import contour_of
from oarflow.priors import Priors, Spread
from oarflow.segmentation.localizer import localize
from oarflow.segmentation.search import with_predicted_regions
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Side, Status
from tests.oarflow.chain import save_model, sphere_volume
from tests.oarflow.plausibility.scenes import CATALOGUE

LEFT, RIGHT = (40.0, 5.0, 0.0), (-42.0, 3.0, 4.0)

EXTENT = Spread(35, 24.0, 1.0, 1.0)
OFFSETS = (Spread(35, 0.0, 2.0, 2.0), Spread(35, 0.0, 2.0, 2.0), Spread(35, 80.0, 2.0, 2.0))
PRIORS = Priors(
    {"Parotid_L": {f"extent_{axis}": EXTENT for axis in "zyx"}},
    {("Parotid_L", "Parotid_R"): OFFSETS},
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    """A localizer of the right parotid; networks of both."""
    folder: Path = tmp_path_factory.mktemp("placing")
    patch, spacing = (0.0, 32.0, 32.0), (0.0, 2.0, 2.0)
    save_model(folder / "loc", Role.LOCALIZER, ("Parotid_R",), (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
    for organ in ("Parotid_L", "Parotid_R"):
        save_model(folder / organ, Role.SEGMENTER, (organ,), spacing, patch)
    return ModelStore.open(folder, device="cpu")


def test_it_is_found_contoured_and_said(store: ModelStore) -> None:
    volume = sphere_volume({"Parotid_L": LEFT, "Parotid_R": RIGHT})
    places = with_predicted_regions(
        volume.grid, localize(volume, store), store.localized_organs, PRIORS
    )
    found = places["Parotid_L"]
    assert found.by_neighbours
    assert not places["Parotid_R"].by_neighbours
    assert found.centroid_lps == pytest.approx((RIGHT[0] + 80.0, RIGHT[1], RIGHT[2]), abs=3.0)
    half = (24.0 + 1.645) / 2 + 2.5 * 2.0
    assert found.extent_mm == pytest.approx((2 * half,) * 3)
    result = Segmenter(volume, places, store).segment("Parotid_L")
    assert result.status is Status.SEGMENTED
    assert result.field is not None
    points = volume.grid.index_to_patient(np.argwhere(result.field.mask) + result.field.offset)
    assert points.mean(axis=0) == pytest.approx(LEFT, abs=0.5)
    assert result.notes == (
        "searched where other organs predict it (the localization network does not know it)",
    )
    assert contour_of(volume, result, CATALOGUE).localized is None


def test_what_is_not_where_it_should_be_is_absent(store: ModelStore) -> None:
    volume = sphere_volume({"Parotid_R": RIGHT})
    places = with_predicted_regions(
        volume.grid, localize(volume, store), store.localized_organs, PRIORS
    )
    result = Segmenter(volume, places, store).segment("Parotid_L")
    assert (result.status, result.flags) == (Status.ABSENT, (Flag.of(FlagCode.NOT_IN_REGION),))


def test_without_a_whole_neighbour_or_a_measure_nothing_is_guessed(store: ModelStore) -> None:
    volume = sphere_volume({"Parotid_L": LEFT, "Parotid_R": RIGHT})
    seen = localize(volume, store)
    cut = {"Parotid_R": replace(seen["Parotid_R"], cut=frozenset({Side.INFERIOR}))}
    for places in (
        with_predicted_regions(volume.grid, cut, store.localized_organs, PRIORS),
        with_predicted_regions(volume.grid, seen, store.localized_organs, Priors({}, {})),
    ):
        assert set(places) == {"Parotid_R"}
        result = Segmenter(volume, places, store).segment("Parotid_L")
        assert result.status is Status.FAILED
        assert result.flags == (Flag.of(FlagCode.NO_SEARCH_REGION),)


def test_a_region_outside_the_scan_is_no_region(store: ModelStore) -> None:
    volume = sphere_volume({"Parotid_L": LEFT, "Parotid_R": RIGHT})
    far = (Spread(35, 900.0, 2.0, 2.0), *OFFSETS[1:])
    priors = replace(PRIORS, offsets={("Parotid_L", "Parotid_R"): far})
    places = with_predicted_regions(
        volume.grid, localize(volume, store), store.localized_organs, priors
    )
    assert set(places) == {"Parotid_R"}
