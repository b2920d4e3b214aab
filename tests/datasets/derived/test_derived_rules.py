"""Each rule finds the organ that was built, and nothing where it cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datasets.cases import Case, Mask
from datasets.derived.corrections import Corrections
from datasets.derived.derive import Fact, derive
from datasets.derived.store import DerivedLabels
from tests.datasets.derived.phantoms import (
    ASIDE,
    CARINA,
    LARYNX,
    MIDLINE,
    SPINE_Y,
    patient,
    truth,
)


@pytest.fixture(scope="module")
def derived() -> tuple[DerivedLabels, list[Fact]]:
    return derive(patient(), Corrections())


def _dice(first: Mask, second: Mask) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def test_brain_is_the_ball_in_the_shell_and_ends_at_the_foramen(
    derived: tuple[DerivedLabels, list[Fact]],
) -> None:
    brain = derived[0].masks["Brain"]
    assert _dice(brain, truth()["Brain"]) > 0.93
    lowest = int(np.flatnonzero(truth()["Brain"].any(axis=(1, 2)))[0])
    assert int(np.flatnonzero(brain.any(axis=(1, 2)))[0]) >= lowest - 1


@pytest.mark.parametrize("organ", ["Lung_L", "Lung_R"])
def test_each_lung_is_on_its_side(derived: tuple[DerivedLabels, list[Fact]], organ: str) -> None:
    lung = derived[0].masks[organ]
    assert _dice(lung, truth()[organ]) > 0.9
    left_of_midline = np.argwhere(lung)[:, 2] > MIDLINE
    assert left_of_midline.mean() == (1.0 if organ == "Lung_L" else 0.0)


def test_lungs_reach_the_scans_lowest_slice_whole(
    derived: tuple[DerivedLabels, list[Fact]],
) -> None:
    lung = derived[0].masks["Lung_L"]
    assert lung[0].sum() == lung[3].sum()


def test_the_trachea_runs_from_the_larynx_to_the_fork(
    derived: tuple[DerivedLabels, list[Fact]],
) -> None:
    levels = np.flatnonzero(derived[0].masks["Trachea"].any(axis=(1, 2)))
    assert levels[-1] == LARYNX - 1
    assert abs(int(levels[0]) - CARINA) <= 1


def test_no_larynx_no_trachea_but_its_lumen_stays_out_of_the_lungs() -> None:
    labels, _ = derive(patient(larynx=False), Corrections())
    assert "Trachea" not in labels.masks
    both = labels.masks["Lung_L"] | labels.masks["Lung_R"]
    assert not (both & truth()["Trachea"]).any()


def test_the_canal_closes_over_gaps_in_its_bone(
    derived: tuple[DerivedLabels, list[Fact]],
) -> None:
    canal = derived[0].masks["SpinalCanal"]
    for level in (10, 15, 17, 20):
        assert _dice(canal[level], truth()["Canal"][level]) > 0.85
    assert not canal[:, SPINE_Y + 5 :].any()


def _cut(case: Case) -> Case:
    """As if only what lies to the left of the right lung's middle had been published."""
    body = case.body.copy() if case.body is not None else np.ones(case.ct.shape, dtype=np.bool_)
    body[:, :, : MIDLINE - ASIDE] = False
    return replace(case, body=body)


def test_an_organ_that_the_published_ct_cuts_is_left_out() -> None:
    labels, facts = derive(_cut(patient()), Corrections())
    reasons = {fact.organ: fact.left_out for fact in facts}
    assert "Lung_R" not in labels.masks
    assert "Lung_L" in labels.masks
    assert reasons["Lung_R"]


def test_slices_of_which_only_a_strip_was_published_are_not_known() -> None:
    case = patient()
    assert case.body is not None
    body = case.body.copy()
    strip = np.zeros(body.shape[1:], dtype=np.bool_)
    strip[SPINE_Y - 3 : SPINE_Y + 4, MIDLINE - 3 : MIDLINE + 4] = True
    body[:12] &= strip
    labels, _ = derive(replace(case, body=body), Corrections())
    assert labels.slices == (12, 69)
    assert not any(mask[:12].any() for mask in labels.masks.values())


def test_without_a_cord_nothing_is_derived() -> None:
    labels, facts = derive(replace(patient(), masks={}), Corrections())
    assert not labels.masks
    assert not facts
