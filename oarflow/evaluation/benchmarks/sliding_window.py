"""What one would run instead: a whole-volume sliding window of a 3-D U-Net of nnU-Net's size.

The network is MONAI's DynUNet with random weights: its time does not depend on them. A few
windows are timed and scaled to the number that the volume needs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch
from monai.data.utils import dense_patch_slices
from monai.networks.nets.dynunet import DynUNet

SPACING_MM = (3.0, 1.0, 1.0)
"""Voxels (z, y, x) that the network sees."""

WINDOW = (40, 224, 192)
"""Voxels (z, y, x) of one window."""

OVERLAP = 0.5
"""Share of a window that its neighbour covers too, along each axis."""

CHANNELS = (32, 64, 128, 256, 320, 320)
"""Features of the six stages."""

CLASSES = 8
"""Seven organs and the background."""


@dataclass(frozen=True)
class SlidingWindow:
    """Time of a whole-volume pass. window_seconds: of each window that was timed, warm."""

    shape: tuple[int, int, int]
    windows: int
    window_seconds: tuple[float, ...]
    parameters: int

    @property
    def seconds(self) -> float:
        """Median of the timed windows, times the number of windows."""
        return median(self.window_seconds) * self.windows


def resampled_shape(
    shape: Sequence[int], spacing_zyx: Sequence[float], window: Sequence[int] = WINDOW
) -> tuple[int, int, int]:
    """Voxels (z, y, x) of a volume on the network's spacing, never smaller than a window."""
    z, y, x = (
        max(least, math.ceil(size * mm / target))
        for size, mm, target, least in zip(shape, spacing_zyx, SPACING_MM, window, strict=True)
    )
    return z, y, x


def window_count(shape: Sequence[int], window: Sequence[int] = WINDOW) -> int:
    """Windows that MONAI's sliding window takes, half overlapping."""
    steps = [int(size * (1 - OVERLAP)) for size in window]
    return len(dense_patch_slices(shape, window, steps))


def build(channels: Sequence[int] = CHANNELS) -> DynUNet:
    """The network with random weights, ready for inference."""
    torch.manual_seed(0)
    strides = [[1, 1, 1], [1, 2, 2], *([[2, 2, 2]] * (len(channels) - 2))]
    if len(channels) >= 6:
        strides[-1] = [1, 2, 2]
    kernels = [[1, 3, 3], *([[3, 3, 3]] * (len(channels) - 1))]
    return DynUNet(
        3, 1, CLASSES, kernels, strides, strides[1:], filters=list(channels), res_block=False
    ).eval()


def time_pass(
    shape: tuple[int, int, int],
    windows: int,
    device: str,
    *,
    window: tuple[int, int, int] = WINDOW,
    channels: Sequence[int] = CHANNELS,
) -> SlidingWindow:
    """Time some windows of a pass over a volume of `shape` (z, y, x) voxels.

    windows: how many to time, after one that is not counted. device: "cpu" or "cuda".
    """
    network = build(channels).to(device)
    random = torch.randn(1, 1, *window, device=device)
    seconds = []
    with torch.inference_mode():
        for _ in range(windows + 1):
            begun = time.perf_counter()
            network(random)
            if device != "cpu":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begun)
    parameters = sum(weights.numel() for weights in network.parameters())
    return SlidingWindow(shape, window_count(shape, window), tuple(seconds[1:]), parameters)
