"""A MONAI bundle: everything that inference needs, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from oarflow.importing.bundle.configuration import OTHERWISE, Configuration
from oarflow.importing.bundle.files import BundleFiles, read_files
from oarflow.importing.bundle.inferer import BundleTiles, tiles
from oarflow.importing.bundle.metadata import MOST_HEADS, BundleFacts, facts
from oarflow.importing.bundle.networks import network_with_weights
from oarflow.importing.bundle.postprocessing import Postprocessing, postprocessing
from oarflow.importing.bundle.preprocessing import Preprocessing, preprocessing
from oarflow.importing.bundle.torchscript import load_torchscript
from oarflow.importing.errors import NotImportedError


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle whose configuration was interpreted. heads: number of output channels."""

    files: BundleFiles
    facts: BundleFacts
    before: Preprocessing
    tiles: BundleTiles
    after: Postprocessing
    network: torch.nn.Module
    heads: int

    @property
    def structures(self) -> dict[str, tuple[int, ...]]:
        """The labels by their names."""
        return self.facts.structures(self.heads)


def read_bundle(folder: Path, *, torchscript: bool = False) -> Bundle:
    """The bundle of a folder. torchscript: use model.ts also where there is model.pt.

    Everything but the network is interpreted first. Raises NotImportedError, OSError.
    """
    files = read_files(folder, torchscript=torchscript)
    described = facts(files.metadata)
    configuration = Configuration(files.configuration)
    before = preprocessing(configuration)
    windows = tiles(configuration)
    after = postprocessing(configuration, before.image)
    if files.scripted:
        network: torch.nn.Module = load_torchscript(files.network)
    else:
        network = network_with_weights(configuration, files.network)
    heads = _heads(network, windows.patch)
    if described.heads not in (None, heads):
        raise NotImportedError(
            f"the network has {heads} output channels, and metadata.json states"
            f" {described.heads}: correct metadata.json"
        )
    _check_kind(heads, after)
    return Bundle(files, described, before, windows, after, network, heads)


def _heads(network: torch.nn.Module, patch: tuple[int, int, int]) -> int:
    """The number of output channels, from one run."""
    try:
        with torch.inference_mode():
            found = network(torch.zeros((1, 1, *patch)))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:120]
        raise NotImportedError(
            f"the network cannot read a tile of {' x '.join(map(str, patch))} voxels ({reason}):"
            " correct roi_size"
        ) from None
    if not isinstance(found, torch.Tensor) or tuple(found.shape[2:]) != patch or len(found) != 1:
        raise NotImportedError(
            "the network does not give one map of its input's size: correct roi_size if the network"
            " needs another, or export it without deep supervision and other outputs"
        )
    if not 1 <= found.shape[1] <= MOST_HEADS:
        raise NotImportedError(f"the network has {found.shape[1]} output channels: {OTHERWISE}")
    return int(found.shape[1])


def _check_kind(heads: int, after: Postprocessing) -> None:
    if after.kind == "argmax" and heads == 1:
        raise NotImportedError("AsDiscreted takes the argmax of one channel: use a threshold")
    if after.kind == "threshold" and heads > 1:
        raise NotImportedError(
            f"the network has {heads} channels with a threshold each, which may overlap; OARflow"
            f" imports one such channel, or labels by argmax: {OTHERWISE}"
        )
