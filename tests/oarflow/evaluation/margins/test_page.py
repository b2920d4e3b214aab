"""The page of margins: its figures are those of the outlines, and its limits are met."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oarflow.evaluation.margins import page
from oarflow.evaluation.margins.methods import outline
from oarflow.evaluation.margins.shapes import Shape, coordinates, grid_of, shapes
from oarflow.structures import ProbabilityField

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.name)
def test_a_surface_moved_by_formula_has_no_error(shape: Shape) -> None:
    grid = grid_of((2.0,))
    distance = shape.distance(coordinates(grid))
    held = grid.offsets_mm[(distance >= 0).any(axis=(1, 2))]
    values = np.clip(0.5 + (distance + 4) / 40, 0, 1).astype(np.float32)
    points = outline(ProbabilityField(values, (0, 0, 0)), grid)
    slices = (float(held[0]), float(held[-1]))
    assert np.abs(shape.error(points, 4, slices)).mean() < 0.02
    assert shape.error(points, 3, slices).mean() == pytest.approx(1, abs=0.02)


def test_the_page_names_every_published_figure_above_the_limits() -> None:
    text = (ROOT / "docs" / "results" / "margins.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    own = [row for row in rows if len(row) == 2 + len(page.MOVES_MM) and row[2][0].isdigit()]
    assert len(own) == len(shapes()) * len(page.GAPS)
    for row in own:
        limit = page.limit_mm((float(row[1].split(" ")[-1]),))
        for move, error in zip(page.MOVES_MM, row[2:], strict=True):
            named = f"{row[0]} on slices of {row[1]} mm, {move:+g} mm: {error} mm" in text
            assert named == (float(error) > limit), row
            assert float(error) < 1.15 * limit, row


def test_one_row_is_measured_again() -> None:
    (sphere, *_) = shapes()
    found = page.measured(sphere, (3.0,))
    assert max(found.errors["OARflow"]) < 0.1
    assert np.mean(found.errors["OARflow"]) < np.mean(found.errors["SimpleITK"])
