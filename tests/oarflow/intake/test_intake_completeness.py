"""Gaps judged from headers alone, on steps that are written out."""

import numpy as np
import pytest

from oarflow.intake.headers import Gap, displaced, gaps, gaps_of_steps, header_of
from tests.phantoms import make_series


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [3.0],
        [3.0] * 20,
        [3.0] * 10 + [5.0] * 10,
        [1.0] * 4 + [3.0] * 5 + [1.0] * 4,
        [3.0] * 10 + [6.0] * 3,
        [6.0] * 3 + [3.0] * 10,
        [0.62, 0.63, 0.62, 0.63] * 5,
        [3.0] * 8 + [4.4] + [3.0] * 8,
        [2.99, 3.0, 3.01] * 6,
    ],
    ids=str,
)
def test_spacing_that_is_complete(steps):
    assert gaps_of_steps(np.array(steps)) == ()


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([3.0] * 5 + [6.0] + [3.0] * 5, [(5, 6.0, 3.0)]),
        ([6.0] + [3.0] * 9, [(0, 6.0, 3.0)]),
        ([3.0] * 9 + [6.0], [(9, 6.0, 3.0)]),
        ([3.0] * 9 + [6.0] * 2, [(9, 6.0, 3.0), (10, 6.0, 3.0)]),
        ([3.0] * 8 + [6.0] * 4 + [3.0] * 8, [(k, 6.0, 3.0) for k in range(8, 12)]),
        ([1.0] * 10 + [4.0] + [3.0] * 10, [(10, 4.0, 1.0)]),
        ([3.0, 3.0, 6.0], [(2, 6.0, 3.0)]),
        ([3.0] * 8 + [4.6] + [3.0] * 8, [(8, 4.6, 3.0)]),
    ],
    ids=str,
)
def test_gaps(steps, found):
    assert gaps_of_steps(np.array(steps)) == tuple(Gap(*gap) for gap in found)


def test_headers_of_data_sets_without_pixels():
    series = make_series()
    for dataset in series:
        del dataset.PixelData
    headers = [header_of(dataset) for dataset in series]
    assert gaps(headers) == ()
    assert gaps(headers[::-1]) == ()
    assert gaps(headers + headers[3:4]) == ()
    del headers[7]
    assert gaps(headers) == (Gap(6, pytest.approx(6.0), pytest.approx(3.0)),)
    assert gaps([]) == ()


@pytest.mark.parametrize(
    ("steps", "slices"),
    [
        ([3.0] * 6 + [3.8, 2.2] + [3.0] * 6, (7,)),
        ([2.2, 3.8] + [3.0] * 6, (1,)),
        ([3.0] * 6 + [3.8, 2.2], (7,)),
        ([3.0] * 12, ()),
        ([3.0] * 6 + [5.0] * 6, ()),
        ([3.0, 3.1] * 6, ()),
        ([0.62, 0.63] * 6, ()),
        ([3.0, 3.2], ()),
    ],
    ids=str,
)
def test_a_slice_off_the_middle_of_its_neighbours(steps, slices):
    assert displaced(np.array(steps)) == slices
