"""One patient's Dice, IoU and seconds by a network of SLICE's experiment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from oarflow.training.configuration import Configuration
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.crops import Crop, crop_of, cut, paste_back
from oarflow.training.data.windowing import scale_window
from oarflow.training.papers.slice.plan import Part

INFERENCE_BATCH = 16


@dataclass(frozen=True)
class UnitScore:
    """One patient: Dice and IoU of the organ over its labelled slices, on the CT's own grid.

    seconds: CPU seconds (the wall's with a GPU) from CT to pasted mask, all slices of the scan.
    """

    part: Part
    case: str
    dice: float
    iou: float
    seconds: float


def measure(
    network: nn.Module, case: TrainingCase, configuration: Configuration, part: Part, device: str
) -> UnitScore:
    """One patient's UnitScore. The patch lies about the reference's centre, as in the paper."""
    organ = configuration.organs[0]
    crop = crop_of(case, organ, configuration)
    everywhere = replace(crop, first=0, last=case.ct.shape[0] - 1)
    network = network.to(device).eval()
    clock = _clock(device)
    started = clock()
    found = predict(network, case, everywhere, configuration) >= 0.5
    seconds = clock() - started
    planes = slice(crop.first, crop.last + 1)
    dice, iou = overlap(case.labelled(found)[planes], case.masks[organ][planes])
    return UnitScore(part, case.name, dice, iou, seconds)


def predict(
    network: nn.Module, case: TrainingCase, crop: Crop, configuration: Configuration
) -> NDArray[np.float32]:
    """(z, y, x) probabilities on the CT's grid: cut, run, pasted back."""
    device = next(network.parameters()).device
    images = scale_window(cut(case, crop, configuration), configuration.window)
    with torch.inference_mode():
        values = [
            torch.sigmoid(network(images[start : start + INFERENCE_BATCH].to(device))).cpu()
            for start in range(0, len(images), INFERENCE_BATCH)
        ]
    return paste_back(torch.cat(values)[:, 0].numpy(), crop, case, configuration)


def overlap(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Dice and IoU of two masks, one where both are empty."""
    both, either = int((found & truth).sum()), int((found | truth).sum())
    if not either:
        return 1.0, 1.0
    return 2 * both / (both + either), both / either


def _clock(device: str) -> Callable[[], float]:
    """CPU seconds, which other work on the machine does not lengthen; the wall's with a GPU."""
    return time.process_time if device == "cpu" else time.perf_counter
