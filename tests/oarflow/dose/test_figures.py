"""Dose-volume figures by hand, and dose inside a mask on the dose's grid and on another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oarflow.datasets.cases import Case
from oarflow.dose.figures import DVH_GY, dose_inside, histogram, statistics
from oarflow.dose.rtdose import read_rtdose
from oarflow.volume import Image
from tests.oarflow.dose.plan import rtdose
from tests.oarflow.evaluation.cases import SHAPE, made_up


def test_statistics_of_a_hundred_voxels() -> None:
    dose = np.random.default_rng(1).permutation(np.arange(1.0, 101.0))
    found = statistics(dose)
    # The hottest 2 % are 99 and 100 Gy.
    assert (found.mean_gy, found.max_gy, found.d2_gy) == (50.5, 100.0, 99.0)
    # Two per cent of 101 voxels are more than two: three.
    assert statistics(np.arange(0.0, 101.0)).d2_gy == 98.0
    assert statistics(np.array([7.0])).d2_gy == 7.0
    with pytest.raises(ValueError, match="without voxels"):
        statistics(np.array([]))


def test_a_histogram_by_hand() -> None:
    found = dict(zip(DVH_GY.tolist(), histogram(np.array([10.0, 10.0, 20.0, 40.0])), strict=True))
    assert (found[0.0], found[10.0], found[10.5], found[20.0], found[40.0]) == (
        1,
        1,
        0.5,
        0.5,
        0.25,
    )
    assert found[40.5] == 0


def test_statistics_and_histogram_are_of_what_is_known() -> None:
    dose = np.array([10.0, np.nan, 30.0, np.nan])
    found = statistics(dose)
    assert (found.mean_gy, found.max_gy, found.d2_gy, found.covered) == (20, 30, 30, 0.5)
    shares = dict(zip(DVH_GY.tolist(), histogram(dose), strict=True))
    assert (shares[0.0], shares[10.5], shares[30.0], shares[30.5]) == (1, 0.5, 0.5, 0)
    unknown = statistics(np.full(3, np.nan))
    assert np.isnan([unknown.mean_gy, unknown.max_gy, unknown.d2_gy]).all()
    assert unknown.covered == 0
    assert np.isnan(histogram(np.full(3, np.nan))).all()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("absolute", [False, True])
def test_rtdose_lies_where_its_offsets_say(tmp_path: Path, reverse: bool, absolute: bool) -> None:
    path = tmp_path / "dose.dcm"
    rtdose(path, reverse=reverse, absolute=absolute)
    dose = read_rtdose(path)
    case = made_up()
    mask = np.zeros(SHAPE, dtype=bool)
    mask[3, 10, 20] = mask[7, 5, 30] = True
    points = case.grid.index_to_patient(np.argwhere(mask))
    expected = [(x + 50 + 100 * z) / 1000 for x, _, z in points]
    assert dose_inside(dose, mask, case.grid) == pytest.approx(expected)


def test_beyond_the_dose_grid_the_dose_is_not_known(tmp_path: Path) -> None:
    rtdose(tmp_path / "dose.dcm")
    dose = read_rtdose(tmp_path / "dose.dcm")
    grid = Case("a", np.zeros((2, 2, 2), np.int16), (4.0, 3.0, 5.0), origin_lps=(45, 44, 56)).grid
    found = dose_inside(dose, np.ones((2, 2, 2), dtype=bool), grid)
    # The dose reaches y = 47, x = 50 and z = 56 mm: the slice at 60 mm is beyond it.
    assert found[:4] == pytest.approx([(x + 50 + 100 * 56) / 1000 for x in (45, 50, 45, 50)])
    assert np.isnan(found).tolist() == 4 * [False] + 4 * [True]


def test_dose_on_the_masks_own_grid_is_read_voxel_by_voxel() -> None:
    case = made_up()
    dose = Image(np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE), case.grid)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[1, 2, 3] = True
    assert dose_inside(dose, mask, dose.grid).tolist() == [1 * 32 * 40 + 2 * 40 + 3]
    assert dose_inside(dose, mask, made_up().grid) == pytest.approx([1 * 32 * 40 + 2 * 40 + 3])
