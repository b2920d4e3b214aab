"""Networks by formula for systems of several networks: a side, an MR, views and their fusion."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from oarflow.networks.card import Channel, InputRegion, ModelCard, Role, Training, View, write_card

WINDOW = (-500.0, 500.0)


class Near(torch.nn.Module):
    """Positive where a channel shows a value, in the window's units, within 100 of a level."""

    def __init__(self, levels: tuple[float, ...], channel: int = 0) -> None:
        super().__init__()
        self.levels = list(levels)
        self.channel = channel

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hu = image[:, self.channel] * 500
        return torch.stack([(60 - (hu - level).abs()) / 4 for level in self.levels], dim=1)


class Everywhere(torch.nn.Module):
    """Positive at every voxel."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, :1] * 0 + 10


class BySide(torch.nn.Module):
    """Of two balls in a whole volume: the one of 100 HU on the left, of -100 HU on the right."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hu = image[:, :1] * 500
        return (60 - (hu - 100 * image[:, 1:2]).abs()) / 4


class Mean(torch.nn.Module):
    """The mean of three views' probabilities of each organ, as log odds."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        mean = maps.reshape(maps.shape[0], -1, 3, maps.shape[2], maps.shape[3]).mean(2)
        return torch.logit(mean, eps=1e-6)


def write_model(folder: Path, network: torch.nn.Module, **card: Any) -> ModelCard:
    """A model's folder; the card's other fields fit a 3-D network of 2 mm on the CT."""
    folder.mkdir(parents=True)
    torch.jit.script(network).save(str(folder / "model.ts"))
    values: dict[str, Any] = {
        "name": f"test/{folder.name}",
        "version": "1.0.0",
        "role": Role.SEGMENTER,
        "dimensions": 3,
        "view": None,
        "region_from": InputRegion(source="volume"),
        "channels": (Channel(window=WINDOW),),
        "patch_mm": (0.0, 0.0, 0.0),
        "spacing_mm": (2.0, 2.0, 2.0),
        "smoothness_mm": (0.0, 0.0, 0.0),
        "multiple": 2,
        "sha256": hashlib.sha256((folder / "model.ts").read_bytes()).hexdigest(),
        "architecture": "formula",
        "parameters": 0,
        "training": Training(data="none", cases=0, commit="none", steps=0, minutes=0.0),
    }
    made = ModelCard(**(values | card))
    write_card(made, folder / "model.json")
    return made


def write_coarse_stage(folder: Path, organs: tuple[str, ...], levels: tuple[float, ...]) -> None:
    """Three views that see brightness and a fusion that takes their mean, on 4 mm."""
    for view in View:
        write_model(
            folder / f"view_{view}",
            Near(levels),
            role=Role.VIEW,
            organs=organs,
            dimensions=2,
            view=view,
            spacing_mm=(4.0, 4.0, 4.0),
        )
    channels = tuple(
        Channel(source="view", view=view, organ=organ) for organ in organs for view in View
    )
    write_model(
        folder / "fusion",
        Mean(),
        role=Role.FUSION,
        organs=organs,
        dimensions=2,
        view=View.AXIAL,
        channels=channels,
        spacing_mm=(4.0, 4.0, 4.0),
    )
