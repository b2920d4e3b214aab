"""Patients made of simple bodies. Every label is known by construction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oarflow.datasets.cases import Case
from oarflow.types import Mask

SPACING = (3.0, 4.0, 4.0)
SHAPE = (70, 60, 84)
MIDLINE, SPINE_Y, AIRWAY_Y = 42, 42, 27
SKULL_Z, SKULL_Y = 58, 32
BRAIN_MM, BONE_MM = 60.0, 8.0
FORAMEN_MM = 16.0
ASIDE = 13
LUNG_TOP, CARINA, LARYNX = 22, 8, 34

SOFT, BONE, VERTEBRA, AIR, LUNG, NOTHING = 40, 900, 320, -1000, -850, -1024


def _disc(centre: tuple[float, float], radius_mm: float) -> NDArray[np.bool_]:
    y, x = np.indices(SHAPE[1:])
    return np.asarray(
        np.hypot((y - centre[0]) * SPACING[1], (x - centre[1]) * SPACING[2]) <= radius_mm
    )


def _ball(radius_mm: float) -> Mask:
    z, y, x = np.indices(SHAPE)
    offsets = ((z - SKULL_Z) * SPACING[0], (y - SKULL_Y) * SPACING[1], (x - MIDLINE) * SPACING[2])
    return np.asarray(sum(offset**2 for offset in offsets) <= radius_mm**2)


def truth() -> dict[str, Mask]:
    """The organs as they were put there."""
    masks = {o: np.zeros(SHAPE, dtype=np.bool_) for o in ("Lung_L", "Lung_R", "Trachea", "Canal")}
    masks["Brain"] = _ball(BRAIN_MM)
    for level in range(LUNG_TOP):
        masks["Lung_L"][level] = _disc((30, MIDLINE + ASIDE), 36)
        masks["Lung_R"][level] = _disc((30, MIDLINE - ASIDE), 36)
    masks["Trachea"][CARINA:LARYNX] = _disc((AIRWAY_Y, MIDLINE), 9)
    masks["Canal"][:38] = _disc((SPINE_Y, MIDLINE), 9)
    return masks


def patient(*, larynx: bool = True) -> Case:
    """Head, neck and chest: a brain in a skull with a foramen, two lungs, a trachea that forks, a
    canal in a spine whose ring is open behind at every fifth slice."""
    organs = truth()
    ct = np.full(SHAPE, NOTHING, dtype=np.int16)
    body = np.zeros(SHAPE, dtype=np.bool_)
    body[:34] = _disc((30, MIDLINE), 100)
    body[34:] = _disc((32, MIDLINE), 85)
    ct[body] = SOFT
    ct[_ball(BRAIN_MM + BONE_MM) & ~organs["Brain"]] = BONE
    foramen = _disc((SPINE_Y, MIDLINE), FORAMEN_MM)
    below = np.zeros(SHAPE, dtype=np.bool_)
    below[:48] = foramen
    ct[below & (ct == BONE)] = SOFT
    ring = _disc((SPINE_Y, MIDLINE), 18) & ~_disc((SPINE_Y, MIDLINE), 9)
    opened = ring.copy()
    opened[SPINE_Y:, MIDLINE - 1 : MIDLINE + 2] = False
    for level in range(38):
        ct[level][opened if level % 5 == 0 else ring] = VERTEBRA
    for level in range(LUNG_TOP):
        ct[level][organs["Lung_L"][level] | organs["Lung_R"][level]] = LUNG
    ct[organs["Trachea"]] = AIR
    for level in range(CARINA):
        for side in (-1, 1):
            ct[level][_disc((AIRWAY_Y, MIDLINE + side * 4), 6)] = AIR
    ct[LARYNX : LARYNX + 8][:, _disc((AIRWAY_Y, MIDLINE), 9)] = AIR
    masks = {"SpinalCord": np.zeros(SHAPE, dtype=np.bool_)}
    masks["SpinalCord"][:38] = _disc((SPINE_Y, MIDLINE), 5)
    if larynx:
        masks["Larynx"] = np.zeros(SHAPE, dtype=np.bool_)
        masks["Larynx"][LARYNX : LARYNX + 8] = _disc((AIRWAY_Y, MIDLINE), 14)
    return Case("pt_1", ct, SPACING, masks, body)
