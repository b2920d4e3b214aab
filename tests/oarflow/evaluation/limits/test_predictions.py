"""Kept predictions are of the program's present files."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.evaluation.limits.predictions import SOURCES, Predictions
from oarflow.locations import PACKAGE, ROOT


def test_every_source_that_the_cache_depends_on_is_there() -> None:
    assert all((PACKAGE / name).exists() for name in SOURCES)


def test_a_source_that_moved_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oarflow.evaluation.limits.predictions.SOURCES", ("moved.py",))
    with pytest.raises(FileNotFoundError, match=r"moved\.py is no part"):
        Predictions(ROOT / "models", tmp_path)
