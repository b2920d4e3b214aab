"""The shipped organs' colours as the colour-blind see them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import rgb2lab

from oarflow.networks.card import Role
from oarflow.networks.cards import read_cards
from oarflow.networks.rule_card import read_rules
from oarflow.organs import load_catalogue

# Machado, Oliveira and Fernandes, A physiologically-based model for simulation of color vision
# deficiency, IEEE TVCG 15 (2009), table 1, severity 1.0; applied to linear sRGB.
VISIONS = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def simulated(colours: NDArray[np.float64], matrix: Any) -> NDArray[np.float64]:
    """Colours (n, 3), sRGB of 0 to 1, as somebody with that vision sees them."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(matrix).T, 0, 1)
    return np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("vision", VISIONS)
def test_shipped_organs_are_told_apart_by_the_colour_blind(vision: str) -> None:
    """CIE76 in CIELAB, as for all colours in normal vision."""
    models = Path(__file__).resolve().parents[2] / "models"
    networks = [card for card in read_cards(models).values() if card.role is Role.SEGMENTER]
    catalogue = load_catalogue()
    named = [card.organs for card in (*networks, *read_rules(models).values())]
    organs = sorted({organ for organs in named for organ in organs})
    assert len(organs) >= 13
    colours = np.array([catalogue.organ(organ).colour for organ in organs]) / 255.0
    lab = rgb2lab(simulated(colours, VISIONS[vision])[None])[0]
    pairs = itertools.combinations(range(len(organs)), 2)
    least, one, other = min((float(np.linalg.norm(lab[i] - lab[j])), i, j) for i, j in pairs)
    assert least > 10, (organs[one], organs[other])
