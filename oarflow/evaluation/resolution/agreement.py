"""How well contours of a fine CT agree with those of its coarse lattices, by the cards' smoothness.

The networks learned from CTs that kept every fourth pixel. A fine CT is blurred to be like them.
The right blur is the one with which both give the same contours.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from oarflow.compare.overlap import dice
from oarflow.evaluation.resolution.lattices import LATTICES, coarse, on_lattice
from oarflow.networks.card import CARD_NAME, NETWORK_NAME, ModelCard, Role, write_card
from oarflow.networks.cards import read_cards
from oarflow.networks.store import ModelStore
from oarflow.segmentation.search import find_organs
from oarflow.segmentation.segmenter import Segmenter
from oarflow.types import Mask
from oarflow.volume import Volume


@dataclass(frozen=True)
class Agreement:
    """One organ at one in-plane smoothness in mm.

    dice: mean over the lattices, of the fine CT's contour at the lattice's voxels with the
    lattice's own contour. volume_cc: of the fine CT's contour.
    """

    organ: str
    smoothness_mm: float
    dice: float
    volume_cc: float


def measure(
    volume: Volume, models: Path, smoothness_mm: Sequence[float], organs: Collection[str] = ()
) -> tuple[Agreement, ...]:
    """Each organ that the networks find on the fine CT and on all lattices, at each smoothness.

    volume: a CT with pixels of about 1 mm. models: folder of the networks. organs: these alone.
    """
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        folder = Path(name)
        unblurred = _store(models, folder, 0.0)
        wanted = [one for one in unblurred.organs if not organs or one in organs]
        lattices = {one: contours(coarse(volume, one), unblurred, wanted) for one in LATTICES}
        found: list[Agreement] = []
        for one in smoothness_mm:
            fine = contours(volume, _store(models, folder, one), wanted)
            found += _agreements(fine, list(lattices.items()), volume, one)
    return tuple(found)


def _agreements(
    fine: Mapping[str, Mask],
    lattices: Sequence[tuple[tuple[int, int], Mapping[str, Mask]]],
    volume: Volume,
    smoothness_mm: float,
) -> Iterator[Agreement]:
    height, width = volume.grid.spacing_yx
    for organ, mask in fine.items():
        if all(organ in masks for _, masks in lattices):
            values = [dice(on_lattice(mask, one), masks[organ]) for one, masks in lattices]
            thickness = volume.grid.slice_thickness_mm
            area = mask.sum(axis=(1, 2)) * height * width
            yield Agreement(organ, smoothness_mm, fmean(values), float(area @ thickness) / 1000)


def contours(volume: Volume, store: ModelStore, organs: Sequence[str]) -> dict[str, Mask]:
    """Masks (z, y, x) of those of the organs that the networks contour, by name."""
    segmenter = Segmenter(volume, find_organs(volume, store), store)
    found = {}
    for organ in organs:
        item = segmenter.segment(organ)
        if item.status.written and item.field is not None:
            mask = np.zeros(volume.grid.shape, dtype=np.bool_)
            mask[item.field.box] = item.field.mask
            found[organ] = mask
    return found


def _store(models: Path, folder: Path, smoothness_mm: float) -> ModelStore:
    """The networks with another in-plane smoothness on the cards of those that contour."""
    target = folder / f"{smoothness_mm:g}"
    for name, card in read_cards(models).items():
        if not isinstance(card, ModelCard):
            continue
        network = target / name
        network.mkdir(parents=True)
        (network / NETWORK_NAME).symlink_to((models / name / NETWORK_NAME).resolve())
        if card.role is Role.SEGMENTER:
            smoothness = (card.smoothness_mm[0], smoothness_mm, smoothness_mm)
            changed = card.model_copy(update={"smoothness_mm": smoothness})
            write_card(changed, network / CARD_NAME)
        else:
            write_card(card, network / CARD_NAME)
    shutil.copy(models / "organs.yaml", target)
    return ModelStore.open(target)
