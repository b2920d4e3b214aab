"""Scores come back from their file as they were."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from oarflow.compare.scores import score
from oarflow.evaluation.comparison.report import latex
from oarflow.evaluation.scoring.files import read_scores, write_scores
from oarflow.evaluation.scoring.statistics import summary
from tests.oarflow.evaluation.cases import SPACING, made_up


def test_scores_come_back_from_their_file(tmp_path: Path) -> None:
    case = made_up()
    cord, nothing = case.masks["SpinalCord"], np.zeros_like(case.masks["SpinalCord"])
    scores = [
        score("a", "SpinalCord", cord, cord, SPACING),
        score("b", "SpinalCord", nothing, cord, SPACING),
    ]
    write_scores(tmp_path / "scores.csv", scores)
    found = read_scores(tmp_path / "scores.csv")
    assert [one.hd95_mm for one in found] == [0.0, math.inf]
    assert found[1].empty
    assert summary(found, "hd95_mm").n == 1
    assert (summary(found, "dsc").mean, summary(found, "dsc").missed) == (0.5, 1)
    assert "--" in latex([found[1]], ())
    with pytest.raises(ValueError, match="is empty"):
        score("a", "SpinalCord", cord, nothing, SPACING)
    text = (tmp_path / "scores.csv").read_text()
    (tmp_path / "scores.csv").write_text("\ufeff" + text)  # as Excel writes it
    assert read_scores(tmp_path / "scores.csv") == found
    (tmp_path / "scores.csv").write_text("case,organ\n")
    with pytest.raises(ValueError, match="lacks the columns"):
        read_scores(tmp_path / "scores.csv")
