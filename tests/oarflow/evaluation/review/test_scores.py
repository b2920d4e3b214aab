"""Reviews summed up: counts and means by hand, intervals from a published example."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oarflow.commands import main
from oarflow.evaluation.review.scores import latest, read_review, summary


def review(folder: Path, reviewer: str, rtstruct: str, saved: str, **scores: Any) -> Path:
    """A file as the report saves it. scores: by organ."""
    path = folder / f"{reviewer}-{rtstruct}-{saved}.json"
    organs = [
        {
            "name": name,
            "status": "segmented",
            "model": "oarflow/net",
            "model_version": "1.0.0",
            "score": score,
            "comment": "too | low" if score == 0 else "",
        }
        for name, score in scores.items()
    ]
    document = {
        "schema": "oarflow-review",
        "schema_version": "1.0",
        "rtstruct": rtstruct,
        "program_version": "0.1.0",
        "reviewer": reviewer,
        "saved": saved,
        "organs": organs,
    }
    path.write_text(json.dumps(document))
    return path


def test_scores_are_summed_by_organ_and_reviewer(tmp_path: Path) -> None:
    files = [
        review(tmp_path, "AB", "1.1", "2026-01-01T00:00:00Z", Larynx=3, Brainstem=1),
        review(tmp_path, "AB", "1.2", "2026-01-01T00:00:00Z", Larynx=2, Brainstem=None),
        review(tmp_path, "CD", "1.1", "2026-01-02T00:00:00Z", Larynx=0),
    ]
    page = summary([read_review(path) for path in files])
    assert "3 reviews of 2 structure sets by 2 reviewers" in page
    assert "| mean of AB | mean of CD |" in page
    larynx = next(line for line in page.splitlines() if line.startswith("| Larynx"))
    cells = [cell.strip() for cell in larynx.split("|")[3:-1]]
    assert cells[:6] == ["3", "1.67", "1", "0", "1", "1"]
    assert cells[6].startswith("67% (")
    assert cells[7:] == ["2.50", "0.00"]
    brainstem = next(line for line in page.splitlines() if line.startswith("| Brainstem"))
    assert "| 1 | 1.00 |" in brainstem
    assert "- Larynx (score 0, CD): too | low" in page


def test_only_the_last_of_a_reviewers_reviews_counts(tmp_path: Path) -> None:
    files = [
        review(tmp_path, "AB", "1.1", "2026-01-02T00:00:00Z", Larynx=3),
        review(tmp_path, "AB", "1.1", "2026-01-01T00:00:00Z", Larynx=0),
    ]
    (kept,) = latest(read_review(path) for path in files)
    assert kept.organs[0].score == 3


@pytest.mark.parametrize("score", [4, -1, "good", 1.5])
def test_a_score_beyond_the_scale_is_refused(tmp_path: Path, score: object) -> None:
    path = review(tmp_path, "AB", "1.1", "2026-01-01T00:00:00Z", Larynx=score)
    with pytest.raises(ValueError, match="no review: organs"):
        read_review(path)


def test_the_command(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = review(tmp_path, "AB", "1.1", "2026-01-01T00:00:00Z", Larynx=2)
    caplog.set_level("INFO")
    assert main(["evaluate", "review", str(path)]) == 0
    assert "| Larynx | oarflow/net 1.0.0 | 1 | 2.00 |" in caplog.text
    path.write_text("[]")
    assert main(["evaluate", "review", str(path)]) == 3
