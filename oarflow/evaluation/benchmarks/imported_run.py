"""OARflow's fast inference on a CT of full size, as a process of its own.

Argument: a JSON file with the keys of `Task`. The last line of the output is JSON with the keys of
`Measured`. The network has random weights, and the first tiles alone run. All logits are then
replaced by those of spheres, so that the fields cost what organs cost.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from pydicom import Dataset

from oarflow.geometry import Grid
from oarflow.importing.export import sha256, torchscript
from oarflow.importing.nnunet.plans import Configured, configured
from oarflow.importing.nnunet.unet import build
from oarflow.networks.card import NETWORK_NAME
from oarflow.networks.imported.card import ImportedCard, NetworkSource, OrganLabels
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.imported.tiles import TilePlan
from oarflow.segmentation.imported import ROOM_MM, ImportedOrgans
from oarflow.structures import Localization
from oarflow.types import Triple
from oarflow.volume import Source, Volume

CONFIGURATION = "3d_fullres"

WATER_HU = 40.0
"""HU of the CT: time does not depend on them."""

RADIUS_MM, DISTANCE_MM = 16.0, 40.0
"""Of the spheres, and between their centres."""

MOST_LOGIT = 20.0
"""Logits fall by 1 each mm, from this far inside a sphere to as far outside."""

ROWS = 4
"""Spheres along x and along y; further ones lie in further layers."""


@dataclass(frozen=True)
class Task:
    """What a program contours. shape: voxels of the CT. box_mm: where the organs are known to lie,
    in the middle of the CT; None: the whole CT is searched. tiles: how many run."""

    plans: dict[str, Any]
    heads: int
    shape: tuple[int, int, int]
    spacing_mm: Triple
    box_mm: Triple | None
    tiles: int
    bfloat16: bool = False


@dataclass(frozen=True)
class Measured:
    """Wall and processor seconds of each tile after the first, and of all else; GB at the peak.

    needed: the tiles that the whole task needs.
    """

    tile_seconds: list[float]
    tile_processor: list[float]
    other_seconds: float
    other_processor: float
    needed: int
    peak_memory_gb: float


def card_of(plans: Configured, heads: int, digest: str) -> ImportedCard:
    """A card of a network with random weights. digest: SHA-256 of its file."""
    z, y, x = plans.patch
    sz, sy, sx = plans.spacing_mm
    return ImportedCard(
        name="random",
        version="0",
        sha256=digest,
        architecture=plans.architecture.words,
        parameters=0,
        folds=("0",),
        dimensions=3,
        orientation="RAS",
        transpose=plans.transpose,
        normalization=plans.normalization,
        spacing_mm=(sz, sy, sx),
        image_resampling=plans.image_resampling,
        logits_resampling=plans.logits_resampling,
        patch=(z, y, x),
        heads=heads,
        labels={label: f"label {label}" for label in range(1, heads)},
        contours=tuple(OrganLabels(organ=f"organ {n}", labels=(n,)) for n in range(1, heads)),
        source=NetworkSource(form="random", origin="benchmark", files={}),
    )


class FirstTiles(ImportedNetwork):
    """A network that runs the first tiles, and whose logits are then those of the spheres."""

    tiles = 1
    needed = 0

    def __init__(self, path: Path, card: ImportedCard, ended: Callable[[], None]) -> None:
        super().__init__(path, card, "cpu")
        self._ended = ended

    def logits(self, data: NDArray[np.float32], plan: TilePlan, **how: Any) -> NDArray[np.float16]:
        self.needed = len(plan.tiles)
        found = super().logits(data, replace(plan, tiles=plan.tiles[: self.tiles]), **how)
        self._ended()
        fill_with_spheres(found, self.card.spacing_mm)
        return found


def fill_with_spheres(logits: NDArray[np.float16], spacing_mm: Triple) -> None:
    """Replace logits (heads, z, y, x) by those of one sphere for each label, in the middle."""
    axes = [
        (np.arange(size) - (size - 1) / 2) * step
        for size, step in zip(logits.shape[1:], spacing_mm, strict=True)
    ]
    logits[0] = 0
    logits[1:] = -MOST_LOGIT
    layers = -(-(len(logits) - 1) // ROWS**2)
    for label in range(1, len(logits)):
        layer, place = divmod(label - 1, ROWS**2)
        row, column = divmod(place, ROWS)
        middle = ((layers - 1) / 2, (ROWS - 1) / 2, (ROWS - 1) / 2)
        centre = np.subtract((layer, row, column), middle) * DISTANCE_MM
        near = [np.abs(axis - at) <= DISTANCE_MM for axis, at in zip(axes, centre, strict=True)]
        away = [axis[some] - at for axis, some, at in zip(axes, near, centre, strict=True)]
        z, y, x = np.meshgrid(*away, indexing="ij")
        inward = RADIUS_MM - np.sqrt(z**2 + y**2 + x**2)
        logits[label][np.ix_(*near)] = np.clip(inward, -MOST_LOGIT, MOST_LOGIT)


def random_network(folder: Path, task: Task, ended: Callable[[], None]) -> FirstTiles:
    """A network with random weights in a folder, loaded. ended: called after the last tile."""
    plans = configured(task.plans, CONFIGURATION)
    torch.manual_seed(0)
    # The smallest example that all stages can halve: tracing a whole patch would use its memory.
    least = tuple(2 * edge for edge in np.prod(plans.architecture.strides, axis=0))
    content = torchscript({"0": build(plans.architecture, task.heads)}, least)
    path = folder / NETWORK_NAME
    path.write_bytes(content)
    network = FirstTiles(path, card_of(plans, task.heads, sha256(content)), ended)
    network.tiles = task.tiles
    return network


def water(task: Task) -> Volume:
    """A CT of one value, around the patient's origin."""
    edges = [(size - 1) / 2 * step for size, step in zip(task.shape, task.spacing_mm, strict=True)]
    positions = np.tile((-edges[2], -edges[1], 0.0), (task.shape[0], 1))
    positions[:, 2] = np.arange(task.shape[0]) * task.spacing_mm[0] - edges[0]
    across, down = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    grid = Grid(positions, across, down, task.spacing_mm[1:], task.shape)
    uids = tuple(f"1.2.3.{number + 1}" for number in range(task.shape[0]))
    source = Source("1.2.1", "1.2.2", "1.2.4", "1.2.5", uids, Dataset(), "")
    return Volume(np.full(task.shape, WATER_HU, dtype=np.float32), grid, source)


def localizations(task: Task, organs: tuple[str, ...]) -> dict[str, Localization]:
    """Every organ in the box, so that the network searches just that."""
    if task.box_mm is None:
        return {}
    z, y, x = (edge - 2 * ROOM_MM for edge in task.box_mm)
    slices = (0, task.shape[0] - 1)
    return {o: Localization(o, True, 1.0, (0.0, 0.0, 0.0), (z, y, x), slices) for o in organs}


def measured(task: Task) -> Measured:
    """Contour all organs of the CT."""
    moments: list[tuple[float, float]] = []
    now = partial(_append_now, moments)
    volume = water(task)
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        network = random_network(Path(name), task, now)
    organs = ImportedOrgans(
        volume, network, localizations(task, network.card.organs), bfloat16=task.bfloat16
    )
    started = (time.perf_counter(), time.process_time())
    for organ in network.card.organs:
        if not organs.field(organ, now).mask.any():
            raise ValueError(f"{organ} was not found")
    ended = (time.perf_counter(), time.process_time())
    tiles = np.diff(moments, axis=0)
    other = np.subtract(ended, started) - tiles.sum(axis=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    wall, processor = tiles[1:].T.tolist()
    return Measured(wall, processor, float(other[0]), float(other[1]), network.needed, peak)


def _append_now(moments: list[tuple[float, float]]) -> None:
    moments.append((time.perf_counter(), time.process_time()))


def main() -> None:
    task = TypeAdapter(Task).validate_json(Path(sys.argv[1]).read_bytes())
    sys.stdout.write(json.dumps(asdict(measured(task))) + "\n")


if __name__ == "__main__":
    main()
