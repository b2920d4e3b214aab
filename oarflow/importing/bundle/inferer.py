"""The sliding window of a bundle, as facts of a card."""

from __future__ import annotations

from dataclasses import dataclass

from oarflow.importing.bundle.configuration import Configuration
from oarflow.importing.known import shown
from oarflow.importing.numbers import number, whole
from oarflow.networks.imported.card import SlidingWindow

MOST_OVERLAP = 0.75
MOST_EDGE = 512

IGNORED = (
    "sw_batch_size",
    "sw_device",
    "device",
    "progress",
    "cache_roi_weight_map",
    "cpu_thresh",
    "buffer_steps",
    "buffer_dim",
)
"""Arguments that decide where and in which order tiles run."""


@dataclass(frozen=True)
class BundleTiles:
    """Tiles of a bundle. patch: voxels along the turned image's x, y and z. step: as on a card."""

    patch: tuple[int, int, int]
    step: float
    window: SlidingWindow


def tiles(configuration: Configuration) -> BundleTiles:
    """The entry `inferer`. Raises NotImportedError."""
    inferer = configuration.component("inferer")
    if inferer.name == "SimpleInferer":
        raise inferer.refuse(
            "reads the whole CT at once, and OARflow reads tiles",
            "state a SlidingWindowInferer with the roi_size of the training",
        )
    if inferer.name != "SlidingWindowInferer":
        raise inferer.refuse("is unknown to OARflow")
    known = ("roi_size", "overlap", "mode", "sigma_scale", "padding_mode", "cval")
    inferer.allow(known, IGNORED)
    inferer.fixed("sigma_scale", 0.125)
    inferer.fixed("padding_mode", "constant")
    inferer.fixed("cval", 0.0, 0)
    size = inferer.value("roi_size")
    edges = [size] * 3 if isinstance(size, int) else size
    if not isinstance(edges, list) or len(edges) != 3:
        raise inferer.refuse(f"has a roi_size of {shown(size)} instead of three numbers")
    x, y, z = (whole(inferer.named("roi_size"), edge, 2, MOST_EDGE) for edge in edges)
    overlap = inferer.value("overlap", 0.25)
    return BundleTiles(
        patch=(x, y, z),
        step=1 - number(inferer.named("overlap"), overlap, 0.0, MOST_OVERLAP),
        window=SlidingWindow(weights=inferer.fixed("mode", "constant", "gaussian")),
    )
