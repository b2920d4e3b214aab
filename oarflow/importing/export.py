"""Writes an imported network: model.ts with all folds, and its card."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

from oarflow.networks.card import CARD_NAME, NETWORK_NAME
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.imported.network import FOLD


class _Folds(torch.nn.Module):
    """The mean of all folds; a fold's module can be taken out by its name."""

    def __init__(self, folds: Mapping[str, torch.nn.Module]) -> None:
        super().__init__()
        for name, fold in folds.items():
            self.add_module(FOLD + name, fold)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found = [fold(image) for fold in self.children()]
        return torch.stack(found).mean(0)


def torchscript(folds: Mapping[str, torch.nn.Module], patch: tuple[int, ...]) -> bytes:
    """The folds traced into one TorchScript file. patch: voxels of the network's input.

    One file has one SHA-256 to trust, verify and commission. The trace is the same for every
    size of input: the networks have no branches.
    """
    example = torch.zeros((1, 1, *patch))
    content = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated, and of constant branches
        traced = torch.jit.trace(_Folds(folds), example, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, content)
    return content.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_network(folder: Path, content: bytes, card: ImportedCard) -> None:
    """Write a new folder with model.ts and model.json; complete or not at all. Raises OSError."""
    building = folder.with_name(f".{folder.name}.part")
    building.mkdir(parents=True)
    try:
        (building / NETWORK_NAME).write_bytes(content)
        (building / CARD_NAME).write_text(_text(card), encoding="utf-8")
        building.rename(folder)
    except OSError:
        for file in building.glob("*"):
            file.unlink()
        building.rmdir()
        raise


def write_card(path: Path, card: ImportedCard) -> None:
    """Replace the card at path; complete or not at all. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(_text(card), encoding="utf-8")
    part.replace(path)


def _text(card: ImportedCard) -> str:
    return card.model_dump_json(indent=2) + "\n"
