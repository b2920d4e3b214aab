"""OARflow's fast inference on a crop of some tiles, as a process of its own.

Arguments: float32 or bfloat16, plans.json, number of channels, number of tiles. The last line of
the output is JSON: seconds of each tile after the first, and the peak memory in GB.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from oarflow.importing.export import sha256, torchscript
from oarflow.importing.nnunet.plans import Configured, configured
from oarflow.importing.nnunet.unet import build
from oarflow.networks.card import NETWORK_NAME
from oarflow.networks.imported.card import ImportedCard, NetworkSource, OrganLabels
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.imported.tiles import plan_tiles, spanned

CONFIGURATION = "3d_fullres"


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
        contours=(OrganLabels(organ="Brainstem", labels=(1,)),),
        source=NetworkSource(form="random", origin="benchmark", files={}),
    )


def random_network(folder: Path, plans: Configured, heads: int) -> ImportedNetwork:
    """A network with random weights in a folder, loaded."""
    torch.manual_seed(0)
    # The smallest example that all stages can halve: tracing a whole patch would use its memory.
    least = tuple(2 * edge for edge in np.prod(plans.architecture.strides, axis=0))
    content = torchscript({"0": build(plans.architecture, heads)}, least)
    path = folder / NETWORK_NAME
    path.write_bytes(content)
    return ImportedNetwork(path, card_of(plans, heads, sha256(content)), "cpu")


def timed(plans: Configured, heads: int, tiles: int, *, bfloat16: bool) -> list[float]:
    """Seconds of each tile of a crop after the first."""
    z, y, x = plans.patch
    shape = (z + z // 2 * tiles, y, x)
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        network = random_network(Path(name), plans, heads)
    plan = plan_tiles(shape, network.card)
    values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    moments: list[float] = []
    network.logits(
        spanned(values, plan),
        plan,
        mirroring=False,
        bfloat16=bfloat16,
        before_each=lambda: moments.append(time.perf_counter()),
    )
    moments.append(time.perf_counter())
    return [float(seconds) for seconds in np.diff(moments)[1:]]


def main() -> None:
    precision, path, heads, tiles = sys.argv[1:]
    plans = configured(json.loads(Path(path).read_text(encoding="utf-8")), CONFIGURATION)
    seconds = timed(plans, int(heads), int(tiles), bfloat16=precision == "bfloat16")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sys.stdout.write(json.dumps({"seconds": seconds, "peak_memory_gb": peak}) + "\n")


if __name__ == "__main__":
    main()
