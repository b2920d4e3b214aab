"""Each rule finds the organ that was built, and nothing where it cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.datasets.cases import Case
from oarflow.datasets.derived.corrections import Corrections
from oarflow.datasets.derived.derive import Fact, derive
from oarflow.datasets.derived.store import DerivedLabels
from oarflow.datasets.resample import coarsened
from oarflow.types import Mask
from tests.oarflow.datasets.derived.phantoms import (
    AIR,
    AIRWAY_Y,
    ASIDE,
    CARINA,
    LARYNX,
    LUNG,
    MIDLINE,
    SKULL_Y,
    SOFT,
    SPACING,
    SPINE_Y,
    VERTEBRA,
    patient,
    truth,
)

THIN_AIR = -900


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


def _with_ct(ct: NDArray[np.int16]) -> DerivedLabels:
    return derive(replace(patient(), ct=ct), Corrections())[0]


def _lumen_of(level: int) -> Mask:
    return truth()["Trachea"][level]


def test_air_at_the_lumen_s_rim_does_not_end_the_trachea() -> None:
    """A narrow slice with air in the esophagus behind it, not connected: no fork."""
    ct = patient().ct.copy()
    ct[20][_lumen_of(20)] = SOFT
    ct[20][ndimage.binary_erosion(_lumen_of(20))] = AIR
    ct[20, AIRWAY_Y + 3, MIDLINE : MIDLINE + 2] = AIR
    levels = np.flatnonzero(_with_ct(ct).masks["Trachea"].any(axis=(1, 2)))
    assert abs(int(levels[0]) - CARINA) <= 1


def test_a_lumen_that_meets_a_lung_keeps_its_outline() -> None:
    """The wall is open over six slices, and the air there is not dark enough to tell it by."""
    ct = patient().ct.copy()
    for level in range(13, 19):
        ct[level, AIRWAY_Y, MIDLINE - ASIDE : MIDLINE] = LUNG
        ct[level][_lumen_of(level)] = THIN_AIR
    trachea = _with_ct(ct).masks["Trachea"]
    assert abs(int(np.flatnonzero(trachea.any(axis=(1, 2)))[0]) - CARINA) <= 1
    assert min(_dice(trachea[level], _lumen_of(level)) for level in range(13, 19)) > 0.8


def test_the_brain_is_whole_where_its_bone_has_gaps() -> None:
    """Thin bone that 4 mm voxels do not show: a third of the front, and a slit at each side."""
    ct = patient().ct.copy()
    z, y, x = np.nonzero(ct > VERTEBRA)
    front = (y < SKULL_Y) & (np.abs(x - MIDLINE) < 0.8 * (SKULL_Y - y))
    gone = ((z > 53) & (z < 57)) & (front | (y == SKULL_Y))
    ct[z[gone], y[gone], x[gone]] = SOFT
    brain = _with_ct(ct).masks["Brain"]
    assert min(_dice(brain[level], truth()["Brain"][level]) for level in range(54, 57)) > 0.9


def test_a_brain_beside_the_cord_is_none() -> None:
    """In a scan that ends at the skull's base the largest enclosed soft part is the tongue."""
    case = patient()
    cord = case.masks["SpinalCord"].copy()
    cord[38:60, SPINE_Y + 8 : SPINE_Y + 10, MIDLINE] = True
    labels, facts = derive(replace(case, masks={"SpinalCord": cord}), Corrections())
    assert "Brain" not in labels.masks
    assert {f.left_out for f in facts if f.organ == "Brain"} == {"holds 0% of the drawn SpinalCord"}


def test_a_whole_ct_on_fine_voxels_gives_its_labels_on_coarse_ones() -> None:
    """A clinic's CT: no part was withheld, so that its lungs are no hole in what was published."""
    case = patient()
    fine = Case(
        case.id,
        np.repeat(np.repeat(case.ct, 2, axis=1), 2, axis=2),
        (3.0, 2.0, 2.0),
        {organ: np.repeat(np.repeat(m, 2, axis=1), 2, axis=2) for organ, m in case.masks.items()},
        origin_lps=(10.0, 20.0, 30.0),
    )
    coarse = coarsened(fine, SPACING)
    assert coarse.spacing_zyx == SPACING
    assert coarse.origin_lps == (11.0, 21.0, 30.0)
    assert np.array_equal(coarse.ct, case.ct)
    assert np.array_equal(coarse.masks["Larynx"], case.masks["Larynx"])
    labels, _ = derive(coarse, Corrections())
    assert {"Brain", "Lung_L", "Lung_R", "Trachea", "SpinalCanal"} <= set(labels.masks)


def test_a_contour_of_the_same_organ_is_compared() -> None:
    case = patient()
    drawn = dict(case.masks) | {"Brain": truth()["Brain"]}
    _, facts = derive(replace(case, masks=drawn), Corrections())
    agreement = {fact.organ: fact.drawn_dice for fact in facts}
    assert agreement["Brain"] == pytest.approx(0.95, abs=0.05)
    assert agreement["Lung_L"] is None
