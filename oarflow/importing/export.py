"""Writes an imported network: model.ts with all folds, and its card."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

from oarflow.importing.errors import NotImportedError
from oarflow.networks.card import CARD_NAME, NETWORK_NAME
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.imported.network import FOLD

FOLDER_NAME = "[A-Za-z0-9][A-Za-z0-9_-]{0,59}"


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
    size of input, because nnU-Net's networks have no branches; other networks read tiles of this
    size only.
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


def new_folder(models: Path, name: str) -> Path:
    """The folder of a new network. Raises NotImportedError where the name cannot be used."""
    if not re.fullmatch(FOLDER_NAME, name):
        raise NotImportedError(
            f"{name!r:.70} cannot be a folder's name: use letters, digits, _ and -"
        )
    if (models / name).exists():
        raise NotImportedError(
            f"{models / name} exists: remove it, or choose another name with --name"
        )
    return models / name


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
