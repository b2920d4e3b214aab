"""The tiles of a sliding window lie and weigh as MONAI's, and probabilities become margins."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from pydantic import ValidationError

from oarflow.networks.imported.activation import activated, logit_margin
from oarflow.networks.imported.card import ImportedCard, SlidingWindow, SplineResampling
from oarflow.networks.imported.tiles import plan_tiles, weights
from tests.oarflow.segmentation.imported_networks import write_imported

Weights = Literal["constant", "gaussian"]
PATCH = (12, 16, 10)


def card(folder: Path, kind: Weights = "constant", **fields: Any) -> ImportedCard:
    window = SlidingWindow(weights=kind)
    values: dict[str, Any] = {"patch": PATCH, "step": 0.5, "sliding_window": window}
    return write_imported(folder / "n", **(values | fields))


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6, 0.75])
def test_tiles_lie_where_monai_places_them(overlap: float, tmp_path: Path) -> None:
    shape = (30, 16, 43)
    intervals = [max(1, int(edge * (1 - overlap))) for edge in PATCH]
    expected = dense_patch_slices(shape, PATCH, intervals)
    plan = plan_tiles(shape, card(tmp_path, step=1 - overlap))
    assert list(plan.tiles) == expected
    assert plan.span == tuple((0, size) for size in shape)


def test_a_small_grid_lies_in_the_middle_of_one_tile(tmp_path: Path) -> None:
    plan = plan_tiles((9, 16, 10), card(tmp_path))
    assert plan.span == ((-1, 11), (0, 16), (0, 10))
    assert plan.keep[0] == slice(1, 10)


@pytest.mark.parametrize("kind", ["constant", "gaussian"])
def test_tiles_weigh_as_monais(kind: Weights, tmp_path: Path) -> None:
    expected = compute_importance_map(PATCH, mode=kind).numpy()
    found = weights(card(tmp_path, kind))
    assert found.dtype == np.float32
    assert np.allclose(found, expected, rtol=1e-6)


def test_every_tile_of_a_wanted_part_runs_when_all_weigh_the_same(tmp_path: Path) -> None:
    made = card(tmp_path, step=0.25)
    whole = plan_tiles((60, 60, 60), made)
    wanted = (slice(20, 30), slice(20, 30), slice(20, 30))
    part = plan_tiles((60, 60, 60), made, wanted)
    touching = [
        tile
        for tile in whole.tiles
        if all(a.start < b.stop and b.start < a.stop for a, b in zip(tile, wanted, strict=True))
    ]
    assert len(part.tiles) == len(touching)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"step": 0.2}, "overlap too much"),
        ({"image_resampling": SplineResampling(order=1, align="first")}, "same grids"),
    ],
)
def test_cards_that_do_not_fit_are_refused(
    fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match=said):
        card(tmp_path, **fields)


def test_splines_do_not_start_at_the_first_voxel() -> None:
    with pytest.raises(ValidationError, match="an order of 0 or 1"):
        SplineResampling(order=3, align="first")


def test_a_margin_of_two_probabilities_is_that_of_their_logits(tmp_path: Path) -> None:
    logits = torch.tensor([[1.0, -2.0, 0.5], [0.25, 3.0, 0.5]])[:, None, None]
    softmax = card(tmp_path, activation="softmax")
    first, second = activated(logits, softmax).numpy()
    assert np.allclose(logit_margin(first - second, softmax), logits[0] - logits[1], atol=1e-5)


def test_a_margin_of_sigmoid_is_the_logit(tmp_path: Path) -> None:
    logits = torch.tensor([[-3.0, 0.0, 1.5]])[:, None, None]
    sigmoid = card(tmp_path, activation="sigmoid")
    assert np.allclose(
        logit_margin(activated(logits, sigmoid)[0].numpy(), sigmoid), logits[0], atol=1e-5
    )


def test_margins_stay_in_order_and_finite(tmp_path: Path) -> None:
    softmax = card(tmp_path, activation="softmax")
    found = logit_margin(np.array([[[-1.0, -0.2, 0.0, 0.3, 1.0]]], dtype=np.float32), softmax)
    assert np.isfinite(found).all()
    assert all(low < high for low, high in pairwise(found.ravel()))
    assert found[0, 0, 2] == 0
