"""A smoke run of the fuzzer: `make fuzz` runs the whole."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz_intake import bases, run_case

CASES = 2000 if os.environ.get("OARFLOW_FUZZ") else 120


@pytest.fixture(scope="module")
def series():
    return bases()


@settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(number=st.integers(0, 100), seed=st.integers(0, 2**32))
def test_damage_is_refused_or_harmless(series, number, seed):
    run_case(series[number % len(series)], seed)
