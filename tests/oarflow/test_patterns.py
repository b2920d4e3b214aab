"""Patterns in rules: what they match, and expressions that are refused."""

from __future__ import annotations

import pytest

from oarflow.patterns import MAX_PATTERN_LENGTH, check_expression, is_found, matches_whole


@pytest.mark.parametrize(
    ("expression", "text", "expected"),
    [
        ("larynx", "RT LARYNX 3 mm", True),
        ("^larynx", "RT LARYNX", False),
        ("neck|hals", "Hals/Thorax", True),
        ("^$", "", True),
        ("x", "a" * 64 + "x", False),
    ],
)
def test_an_expression_is_searched_in_the_first_64_characters(
    expression: str, text: str, expected: bool
) -> None:
    assert is_found(expression, text) is expected


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("CT1", "ct1 ", True),
        ("CT1", "CT10", False),
        ("CT*", "CT10", True),
        ("CT[12]", "CT2", True),
        ("*", "", True),
    ],
)
def test_a_pattern_matches_the_whole_value(pattern: str, value: str, expected: bool) -> None:
    assert matches_whole(pattern, value) is expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("(", "not a regular expression"),
        ("(a+)+", "nested repetitions"),
        ("(a{2,})*", "nested repetitions"),
        ("a" * (MAX_PATTERN_LENGTH + 1), "longer than 200"),
    ],
)
def test_what_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_expression(expression)
