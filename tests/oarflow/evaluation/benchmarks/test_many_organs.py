"""Stand-ins for imported networks: each organ's ellipsoid lies on its side, under its label."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from oarflow.evaluation.benchmarks.many_organs import RECIPES, KnownAnswer, ellipsoid, label_map
from oarflow.importing.recipes.recipe import read_recipes
from oarflow.networks.imported.card import ImportedCard
from oarflow.organs import load_catalogue

CENTRE = np.array([3.0, 20.0, 40.0])


@pytest.mark.parametrize("number", RECIPES)
def test_every_organ_has_its_place(number: int) -> None:
    recipe, catalogue = read_recipes("totalsegmentator")[number], load_catalogue()
    card = ImportedCard.model_construct(contours=recipe.assignment(catalogue).contours)
    z, y, x = (np.arange(low, high, 2.0) for low, high in ((-80, 90), (-90, 60), (-90, 96)))
    labels = label_map((z, y, x), CENTRE, card)
    numbers = {name: n for n, name in enumerate(recipe.labels, start=1)}
    for contour in card.contours:
        (name,) = recipe.sided[contour.organ].labels
        places = np.argwhere(labels == numbers[str(name)])
        assert len(places), contour.organ
        middle = x[places[:, 2]].mean() - CENTRE[0]
        side = catalogue.organ(contour.organ).laterality
        assert {"L": middle > 5, "R": middle < -5}.get(side, abs(middle) < 2), contour.organ


def test_left_and_right_are_mirrored() -> None:
    left, right = ellipsoid("Eye_L"), ellipsoid("Eye_R")
    assert left[0][0] == -right[0][0] > 0
    assert (left[0][1:], left[1]) == (right[0][1:], right[1])


def test_the_network_gives_its_labels() -> None:
    labels = np.arange(8, dtype=np.uint8).reshape(2, 2, 2) % 3
    found = KnownAnswer(labels, 3)(torch.rand(1, 1, 2, 2, 2))
    assert np.array_equal(found[0].argmax(0).numpy(), labels)
