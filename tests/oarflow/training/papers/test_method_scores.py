"""Scores of several methods on the same patients."""

from __future__ import annotations

import pytest

from oarflow.training.papers.method_scores import MethodScore, patient_means


def test_both_sides_together_are_a_patient_s_mean() -> None:
    rows = [
        MethodScore("a", "L", "one", 0.5),
        MethodScore("a", "R", "one", 0.7),
        MethodScore("b", "L", "one", 0.1),
    ]
    made = patient_means(rows, "both")
    assert [row[:3] for row in made] == [("a", "both", "one"), ("b", "both", "one")]
    assert [row[3] for row in made] == pytest.approx([0.6, 0.1])
