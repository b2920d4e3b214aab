"""Paired tests and corrections, counted by hand."""

from __future__ import annotations

import math

import pytest

from oarflow.evaluation.scoring.significance import bonferroni, holm, wilcoxon


def test_wilcoxon_by_counting_signs() -> None:
    # Ranks 1 2 3 4 5 all positive: 2 of 2^5 sign patterns are as extreme.
    found = wilcoxon([2, 4, 6, 8, 10], [1, 2, 3, 4, 5])
    assert (found.p, found.sign, found.n) == (pytest.approx(2 / 32), 1, 5)
    # Positive ranks 1 and 2 sum to 3; of 32 patterns 5 do so or less: {}, 1, 2, 3 and 1 + 2.
    found = wilcoxon([1, 2, 0, 0, 0], [0, 0, 3, 4, 5])
    assert (found.p, found.sign) == (pytest.approx(2 * 5 / 32), -1)
    assert wilcoxon([1, 2], [1, 2]).p == 1.0
    # Equal pairs are left out.
    assert wilcoxon([2, 4, 6, 8, 10, 7], [1, 2, 3, 4, 5, 7]).p == pytest.approx(2 / 32)
    with pytest.raises(ValueError, match="finite"):
        wilcoxon([math.inf], [1])


def test_corrections_by_hand() -> None:
    assert bonferroni(0.02, 3) == pytest.approx(0.06)
    assert bonferroni(0.5, 3) == 1.0
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
