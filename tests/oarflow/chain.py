"""A CT by formula and networks that see brightness: what they must find is known exactly."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from pydicom import Dataset

from oarflow.geometry import Grid
from oarflow.networks.card import Channel, InputRegion, ModelCard, Role, Training, View, write_card
from oarflow.volume import Source, Volume

ORGAN_HU = {"Parotid_L": 100.0, "Parotid_R": -100.0}


class Brightness(torch.nn.Module):
    """One logit per organ: positive where the middle channel is past half of the organ's HU."""

    def __init__(self, organs: tuple[str, ...], middle: int, low: float, high: float) -> None:
        super().__init__()
        self.middle = middle
        self.scale = (high - low) / 2
        self.low = low
        self.levels = [ORGAN_HU[organ] for organ in organs]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hu = (image[:, self.middle] + 1) * self.scale + self.low
        return torch.stack([10 - (hu / level - 1).abs() * 20 for level in self.levels], dim=1)


def sphere_volume(
    centres_lps: dict[str, tuple[float, float, float]],
    radius_mm: float = 12.0,
    spacing: tuple[float, float, float] = (2.0, 1.0, 1.0),
    shape: tuple[int, int, int] = (60, 128, 160),
    origin_lps: tuple[float, float, float] = (-80.0, -64.0, -60.0),
) -> Volume:
    """Water at 0 HU with one sphere of each organ's HU, on an axial grid."""
    n = shape[0]
    positions = np.asarray(origin_lps) + np.arange(n)[:, None] * (0, 0, spacing[0])
    grid = Grid(
        positions, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), (spacing[1], spacing[2]), shape
    )
    z = origin_lps[2] + np.arange(n)[:, None, None] * spacing[0]
    y = origin_lps[1] + np.arange(shape[1])[:, None] * spacing[1]
    x = origin_lps[0] + np.arange(shape[2]) * spacing[2]
    hu = np.zeros(shape, dtype=np.float32)
    for organ, (cx, cy, cz) in centres_lps.items():
        distance = np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2)
        hu[distance <= radius_mm] = ORGAN_HU[organ]
    uids = tuple(f"1.2.3.4.{k + 1}" for k in range(n))
    source = Source("1.2.1", "1.2.2", "1.2.4", "1.2.5", uids, Dataset(), "")
    return Volume(hu, grid, source)


def save_model(
    folder: Path,
    role: Role,
    organs: tuple[str, ...],
    spacing: tuple[float, float, float],
    patch: tuple[float, float, float],
    *,
    offsets: tuple[float, ...] = (-3.0, 0.0, 3.0),
    network: torch.nn.Module | None = None,
) -> ModelCard:
    """A models/<model> folder with a network that sees brightness, and its card."""
    folder.mkdir(parents=True)
    window = (-500.0, 500.0)
    network = network or Brightness(organs, len(offsets) // 2, *window)
    torch.jit.script(network).save(str(folder / "model.ts"))
    card = ModelCard(
        name=f"test/{folder.name}",
        version="1.0.0",
        role=role,
        organs=organs,
        dimensions=2,
        view=View.AXIAL,
        region_from=InputRegion(source="localization" if role is Role.SEGMENTER else "volume"),
        channels=tuple(Channel(offset_mm=offset, window=window) for offset in offsets),
        patch_mm=patch,
        spacing_mm=spacing,
        smoothness_mm=(0.0, 0.0, 0.0),
        margin_mm=8.0,
        sha256=hashlib.sha256((folder / "model.ts").read_bytes()).hexdigest(),
        architecture="brightness",
        parameters=0,
        training=Training(data="none", cases=0, commit="none", steps=0, minutes=0.0),
    )
    write_card(card, folder / "model.json")
    return card


def save_models(folder: Path) -> Path:
    """A models folder with a localizer and a segmenter for each parotid."""
    organs = tuple(ORGAN_HU)
    save_model(folder / "localizer", Role.LOCALIZER, organs, (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
    for organ in organs:
        save_model(folder / organ, Role.SEGMENTER, (organ,), (0.0, 2.0, 2.0), (0.0, 64.0, 64.0))
    return folder
