from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oarflow.rtstruct.decimal_strings import contour_text, format_ds

PLAIN = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


@given(st.floats(-1e9, 1e9))
def test_every_number_is_a_plain_decimal_of_at_most_16_bytes(value: float) -> None:
    text = format_ds(value)
    assert PLAIN.fullmatch(text)
    assert len(text) <= 16
    assert text != "-0"
    assert float(text) == pytest.approx(value, rel=1e-9, abs=1e-5)


@given(st.decimals(-9999, 9999, places=6))
def test_digits_of_a_header_come_back_as_the_same_number(written: object) -> None:
    assert float(format_ds(float(str(written)))) == float(str(written))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1234.5678, "-1234.5678"),
        (-0.0, "0"),
        (-120.5, "-120.5"),
        (1e-7, "0.0000001"),
        (19.034504652023315, "19.0345046520233"),
        (-1e-300, "0"),
        (1.5e16, None),
        (-99999999.999999999, "-100000000"),
        (float("nan"), None),
    ],
)
def test_known_numbers(value: float, text: str | None) -> None:
    if text is None:
        with pytest.raises(ValueError, match=r"cannot|too many"):
            format_ds(value)
    else:
        assert format_ds(value) == text


@given(
    st.lists(st.tuples(st.floats(-9999, 9999), st.floats(-9999, 9999)), min_size=3, max_size=9),
    st.integers(1, 6),
)
def test_contour_text_is_plain_decimals_with_the_planes_own_digits(
    points: list[tuple[float, float]], decimals: int
) -> None:
    lps = np.array([(x, y, -120.123456) for x, y in points])
    text = contour_text(lps, decimals, 2)
    assert len(text) % 2 == 0
    values = text.decode("ascii").rstrip(" ").split("\\")
    assert values[2::3] == ["-120.123456"] * len(points)
    for value in values[0::3] + values[1::3]:
        assert PLAIN.fullmatch(value)
        assert len(value) <= 16
        assert not re.fullmatch(r"-0\.?0*", value)
    back = np.array(values, dtype=float).reshape(-1, 3)
    assert np.abs(back - lps).max() <= 0.5 * 10.0**-decimals + 1e-9


def test_all_three_coordinates_are_rounded_where_no_axis_is_constant() -> None:
    lps = np.array([(1.00049, -0.0001, 3.0), (4.0, 5.0, 6.0), (7.0, 8.0, 9.9996)])
    assert (
        contour_text(lps, 3, None)
        == b"1.000\\0.000\\3.000\\4.000\\5.000\\6.000\\7.000\\8.000\\10.000"
    )


def test_a_coordinate_too_large_for_16_bytes_is_an_error() -> None:
    with pytest.raises(ValueError, match="too many digits"):
        contour_text(np.array([(1e12, 0, 0), (0, 1, 0), (1, 1, 0)]), 3, 2)
