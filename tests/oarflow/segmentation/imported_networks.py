"""Imported networks by formula: every voxel's label is known exactly."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from oarflow.importing.export import torchscript, write_network
from oarflow.networks.imported.card import (
    ImportedCard,
    IntensityNormalization,
    NetworkSource,
    OrganLabels,
    SplineResampling,
)

LEFT, RIGHT = 1, 2


class Levels(torch.nn.Module):
    """Logits of background (0 HU), label 1 (100 HU) and label 2 (-100 HU): the nearest wins."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hu = image[:, 0]
        return torch.stack([-(hu - level).abs() / 4 for level in (0.0, 100.0, -100.0)], dim=1)


class Halves(torch.nn.Module):
    """Label 1 in the first half of a tile's columns, label 2 in the second: no anatomy at all."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        column = torch.cumsum(torch.ones_like(image[:, 0]), dim=-1) - image.shape[-1] / 2
        return torch.stack([column * 0 - 100, -column, column], dim=1)


def write_imported(
    folder: Path, network: torch.nn.Module | None = None, **fields: Any
) -> ImportedCard:
    """A folder with an imported network; fields of the card may be changed."""
    content = torchscript({"0": network or Levels()}, (8, 16, 16))
    values: dict[str, Any] = {
        "name": f"imported/{folder.name}",
        "version": "1.0.0",
        "sha256": hashlib.sha256(content).hexdigest(),
        "architecture": "formula",
        "parameters": 0,
        "folds": ("0",),
        "dimensions": 3,
        "orientation": "LPS",
        "orientation_proof": "proven",
        "transpose": (0, 1, 2),
        "normalization": IntensityNormalization(scheme="none"),
        "spacing_mm": (3.0, 2.0, 2.0),
        "image_resampling": SplineResampling(order=3),
        "logits_resampling": SplineResampling(order=1),
        "patch": (16, 32, 32),
        "heads": 3,
        "labels": {1: "left", 2: "right"},
        "contours": (
            OrganLabels(organ="Parotid_L", labels=(LEFT,)),
            OrganLabels(organ="Parotid_R", labels=(RIGHT,)),
        ),
        "source": NetworkSource(form="formula", origin="tests", files={}),
    }
    card = ImportedCard(**(values | fields))
    write_network(folder, content, card)
    return card
