"""Elastic and grid deformation of a slice with its labels (RESU, section 4.2.1)."""

from __future__ import annotations

import numpy as np
import torch
from monai.transforms.spatial.array import Rand2DElastic, RandGridDistortion
from torch import Tensor

from oarflow.networks.sampling import AIR_HU

SHARE_DEFORMED = 0.5
"""Share of slices that one of the two, chosen at random, is applied to."""

CONTROL_SPACING = (16, 16)
"""Pixels between the elastic deformation's control points."""

ELASTIC_PIXELS = (1.0, 3.0)
"""Standard deviation of their shifts, drawn from this range."""

GRID_CELLS = 5
GRID_SHARE = 0.2
"""How much wider or narrower each cell of the grid becomes at most."""


def deform(image: Tensor, masks: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Image (channels, y, x) in HU and masks (organs, y, x), bent alike, or as they were."""
    if random.random() >= SHARE_DEFORMED:
        return image, masks
    change: Rand2DElastic | RandGridDistortion
    if random.random() < 0.5:
        change = Rand2DElastic(CONTROL_SPACING, ELASTIC_PIXELS, prob=1.0, padding_mode="zeros")
    else:
        limits = (-GRID_SHARE, GRID_SHARE)
        change = RandGridDistortion(GRID_CELLS, 1.0, limits, padding_mode="zeros")
    change.set_random_state(seed=int(random.integers(2**31)))
    stack = change(torch.cat((image - AIR_HU, masks)))
    bent = torch.as_tensor(stack).as_subclass(Tensor)
    return bent[: len(image)] + AIR_HU, bent[len(image) :]
