"""What separates a clinic's CT from the training CTs, added to samples in HU.

The training CTs are smooth, masked to the body and free of couch, mask and much of the metal; each
function adds one such difference to a float32 tensor (planes, y, x) in HU.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from oarflow.networks.sampling import AIR_HU

OUTSIDE_BELOW_HU = AIR_HU + 10
"""Voxels below this are outside the body mask of the training CTs (air inside reads higher)."""

SHARE_CROPPED = 0.10
"""Share of samples whose field of view is cut."""

SHARE_LOST_PLANES = 0.10
"""Share of samples that reach beyond the scan's end."""

Random = np.random.Generator
Change = Callable[[Tensor, Random], Tensor]


def blur(planes: Tensor, sigma: float) -> Tensor:
    """In-plane Gaussian low-pass, sigma in pixels."""
    radius = max(1, int(3 * sigma))
    steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = torch.nn.functional.pad(planes[:, None], (radius,) * 4, mode="replicate")
    rows = torch.nn.functional.conv2d(padded, kernel.reshape(1, 1, -1, 1))
    return torch.nn.functional.conv2d(rows, kernel.reshape(1, 1, 1, -1))[:, 0]


def sharpness(planes: Tensor, random: Random) -> Tensor:
    """Smoother or sharper than the training CTs: other kernels, other pixel sizes."""
    if random.random() < 0.5:
        return blur(planes, float(random.uniform(0.3, 1.1)))
    return planes + float(random.uniform(0.2, 1.2)) * (planes - blur(planes, 0.8))


def noise(planes: Tensor, random: Random) -> Tensor:
    """Noise of 0 to 50 HU, white or grained."""
    grain = torch.from_numpy(random.normal(0.0, 1.0, planes.shape).astype(np.float32))
    if random.random() < 0.5:
        grain = blur(grain, 0.7) * 2.5
    return planes + grain * float(random.uniform(0.0, 50.0))


def calibration(planes: Tensor, random: Random) -> Tensor:
    """Another scanner's Hounsfield scale."""
    return planes * float(random.normal(1.0, 0.03)) + float(random.normal(0.0, 12.0))


def contrast_medium(planes: Tensor, random: Random) -> Tensor:
    """Soft tissue stretched or flattened, as with contrast medium or another voltage."""
    soft = (planes > -50) & (planes < 400)
    factor = float(np.exp(random.normal(0.0, 0.25)))
    return torch.where(soft, (planes - 40) * factor + 40, planes)


def couch(planes: Tensor, random: Random) -> Tensor:
    """A couch top, straight or curved, in what was air behind the patient."""
    height, width = planes.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    top = random.uniform(0.5, 1.0) * height
    curve = random.uniform(-0.01, 0.01) if random.random() < 0.5 else 0.0
    depth = y - (top + curve * (x - random.uniform(0, width)) ** 2)
    thick = random.uniform(3, 12)
    shell = ((depth >= 0) & (depth < 1.5)) | ((depth >= thick) & (depth < thick + 1.5))
    core = (depth >= 1.5) & (depth < thick)
    air = planes < OUTSIDE_BELOW_HU
    planes = torch.where(air & core, float(random.uniform(-980, -500)), planes)
    return torch.where(air & shell, float(random.uniform(-600, 250)), planes)


def fixation_mask(planes: Tensor, random: Random) -> Tensor:
    """A thermoplastic mask: a thin bright shell on the skin, with holes."""
    body = (planes > OUTSIDE_BELOW_HU).float()[:, None]
    gap = int(random.integers(0, 2))
    inner = torch.nn.functional.max_pool2d(body, 1 + 2 * gap, 1, gap) if gap else body
    outer = torch.nn.functional.max_pool2d(inner, 3, 1, 1)
    shell = (outer - inner)[:, 0] > 0
    holes = torch.from_numpy(random.random(planes.shape[1:]) < 0.3)
    return torch.where(shell & ~holes, float(random.uniform(-700, 100)), planes)


def metal(planes: Tensor, random: Random) -> Tensor:
    """Streaks that fan out of a dental filling or implant."""
    height, width = planes.shape[1:]
    cy, cx = random.uniform(0, height), random.uniform(0, width)
    y, x = torch.meshgrid(torch.arange(height) - cy, torch.arange(width) - cx, indexing="ij")
    radius = torch.sqrt(y**2 + x**2)
    angle = torch.atan2(y, x)
    streaks = torch.zeros(height, width)
    for _ in range(int(random.integers(2, 6))):
        waves = float(random.integers(3, 16))
        streaks += torch.sin(waves * angle + float(random.uniform(0, 2 * np.pi)))
    reach = float(random.uniform(5, 25))
    planes = planes + streaks * float(random.uniform(40, 250)) * torch.exp(-radius / reach)
    return torch.where(radius < float(random.uniform(0, 2.5)), 3000.0, planes)


def lost_planes(planes: Tensor, random: Random) -> Tensor:
    """Planes beyond the scan's end: above or below the middle one there is nothing."""
    middle = planes.shape[0] // 2
    if middle == 0:
        return planes
    planes = planes.clone()
    count = int(random.integers(1, middle + 1))
    if random.random() < 0.5:
        planes[:count] = AIR_HU
    else:
        planes[-count:] = AIR_HU
    return planes


def lost_ends(planes: Tensor, masks: Tensor, random: Random) -> tuple[Tensor, Tensor]:
    """Planes beyond the scan's end, gone from the labels too. masks: (..., planes, y, x)."""
    shortened = lost_planes(planes, random)
    gone = (shortened != planes).any(dim=2).any(dim=1)
    return shortened, masks * (~gone)[:, None, None]


IMAGE_CHANGES: tuple[tuple[float, Change], ...] = (
    (0.30, couch),
    (0.25, fixation_mask),
    (0.10, metal),
    (0.20, contrast_medium),
    (0.50, sharpness),
    (0.40, noise),
    (0.50, calibration),
)
"""Each change with the share of samples that it is applied to, in the order of the acquisition."""


def change_image(planes: Tensor, random: Random) -> Tensor:
    """One sample (planes, y, x) in HU with a random choice of changes."""
    for share, change in IMAGE_CHANGES:
        if random.random() < share:
            planes = change(planes, random)
    return planes


def crop_field(planes: Tensor, masks: Tensor, random: Random) -> tuple[Tensor, Tensor]:
    """Cut the field of view by a straight edge or a circle; what is cut is gone from the labels.

    planes: (planes, y, x) in HU; masks: (organs, y, x).
    """
    height, width = planes.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    if random.random() < 0.5:
        turn = random.uniform(0, 2 * np.pi)
        distance = (x - width / 2) * np.cos(turn) + (y - height / 2) * np.sin(turn)
        outside = distance > random.uniform(0.2, 0.6) * height
    else:
        off_y, off_x = random.normal(0, 0.15 * height), random.normal(0, 0.15 * width)
        distance = torch.hypot(y - height / 2 - off_y, x - width / 2 - off_x)
        outside = distance > random.uniform(0.4, 0.8) * height
    return torch.where(outside, AIR_HU, planes), torch.where(outside, 0.0, masks)
