"""A smoke run of the fuzzer: `make fuzz` runs the whole."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz_intake import bases, run_case


@pytest.fixture(scope="module")
def series():
    return bases()


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(number=st.integers(0, 100), seed=st.integers(0, 2**32))
def test_damage_is_refused_or_harmless(series, number, seed):
    run_case(series[number % len(series)], seed)
