"""Lattices of a fine CT, and the agreement of contours on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from oarflow.evaluation.resolution import agreement
from oarflow.evaluation.resolution.agreement import Agreement, measure
from oarflow.evaluation.resolution.lattices import LATTICES, coarse, on_lattice
from oarflow.evaluation.resolution.page import markdown
from oarflow.networks.card import CARD_NAME, Role, read_card
from oarflow.networks.store import ModelStore
from oarflow.types import Mask
from oarflow.volume import Volume
from tests.oarflow.rtstruct.hand import make_grid, make_source

SHAPE = (12, 120, 128)


@dataclass(frozen=True)
class Store:
    """In place of the networks at one smoothness."""

    smoothness_mm: float
    organs: tuple[str, ...] = ("Parotid_L", "Larynx", "Brain")


def volume() -> Volume:
    """A body of 100 HU with a gradient in it, in air, and a plate beside it."""
    hu = np.full(SHAPE, -1000.0, dtype=np.float32)
    hu[1:11, 16:100, 20:108] = np.arange(88, dtype=np.float32)
    hu[:, 110:112, :] = 200.0
    return Volume(hu, make_grid(SHAPE), make_source(SHAPE[0]))


@pytest.mark.parametrize("lattice", LATTICES)
def test_a_coarse_ct_has_the_same_values_at_the_same_places(lattice: tuple[int, int]) -> None:
    fine = volume()
    found = coarse(fine, lattice)
    assert found.grid.spacing_yx == (4.0, 4.0)
    assert found.hu.shape == found.grid.shape == (12, 30, 32)
    for index in ((5, 10, 12), (3, 20, 20)):
        z, y, x = index
        place = fine.grid.positions_lps[0] + np.array(
            (lattice[1] + 4.0 * x, lattice[0] + 4.0 * y, 3.0 * z)
        )
        mine = found.grid.positions_lps[z] + np.array((4.0 * x, 4.0 * y, 0.0))
        assert mine == pytest.approx(place)
        assert found.hu[index] == fine.hu[z, lattice[0] + 4 * y, lattice[1] + 4 * x]
    assert found.hu[5, 1, 1] == -1024.0
    assert found.hu[5, 27].max() == -1024.0  # the plate is no part of the patient


def test_dice_is_measured_at_the_lattices_voxels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine = volume()
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2:8, 40:60, 40:64] = True
    asked: list[float] = []

    def contours(one: Volume, store: Store, organs: Sequence[str]) -> dict[str, Mask]:
        assert organs == ["Parotid_L", "Larynx"]
        asked.append(store.smoothness_mm)
        if one.grid.shape == SHAPE:
            return {"Parotid_L": mask, "Larynx": mask}
        lattice = tuple(
            int(v) for v in (one.grid.positions_lps[0] - fine.grid.positions_lps[0])[[1, 0]]
        )
        part = on_lattice(mask, (lattice[0], lattice[1])).copy()
        part[2] = False  # one of six slices is missing
        return {"Parotid_L": part}

    monkeypatch.setattr(agreement, "contours", contours)
    monkeypatch.setattr(agreement, "_store", lambda models, folder, one: Store(one))
    found = measure(fine, tmp_path, (2.4, 1.66), ["Parotid_L", "Larynx"])
    # The coarse CTs are never blurred.
    assert asked == [0.0] * len(LATTICES) + [2.4, 1.66]
    # The larynx is not found on the lattices. 2 * 5 / (5 + 6) of the parotid's slices agree.
    assert [(one.organ, one.smoothness_mm) for one in found] == [
        ("Parotid_L", 2.4),
        ("Parotid_L", 1.66),
    ]
    for one in found:
        assert one.dice == pytest.approx(10 / 11)
        assert one.volume_cc == pytest.approx(6 * 20 * 24 * 3 / 1000)


def test_only_networks_that_contour_get_another_smoothness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = Path(__file__).resolve().parents[4] / "models"
    monkeypatch.setattr(ModelStore, "open", lambda folder: folder)
    folder = agreement._store(models, tmp_path, 1.23)
    cards = [read_card(path) for path in sorted(Path(str(folder)).glob(f"*/{CARD_NAME}"))]
    assert len(cards) == len(list(models.glob("*/model.ts")))
    for card in cards:
        assert (card.smoothness_mm[1] == 1.23) == (card.role is Role.SEGMENTER)


def test_the_page_marks_the_best() -> None:
    found = [Agreement("Larynx", 2.0, 0.9, 30.0), Agreement("Larynx", 1.66, 0.95, 31.0)]
    page = markdown(found, (), "c", "d")
    assert "| Larynx | 0.9000 | **0.9500** | 30.0 / 31.0 |" in page
