"""A chest of ellipses: larynx, trachea that forks, two lungs with vessels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from oarflow.rules.external import external
from oarflow.rules.rule import Outlined, RuleInput
from oarflow.structures import ProbabilityField
from oarflow.volume import Volume
from tests.oarflow.rules.bodies import Bools, Floats, points, sampled

LARYNX_LOW, CARINA = 60.0, -20.0
"""z in mm of the larynx's lower end and of the carina."""

HEIGHTS = tuple(np.arange(-70.0, 90.0, 3.0))


def in_body(x: Floats, y: Floats, z: Floats) -> Bools:
    wide = np.interp(z, [20, 60], [170.0, 60.0])
    deep = np.interp(z, [20, 60], [95.0, 60.0])
    return np.asarray((x / wide) ** 2 + (y / deep) ** 2 < 1)


def in_lung(x: Floats, y: Floats, z: Floats, side: int, inner: float = 75.0) -> Bools:
    """side: 1 left, -1 right. inner: half-width; at 84 mm and more the lungs touch."""
    height = np.clip((35.0 - z) / 60.0, 0.0, 1.0)
    wide, deep = inner * 0.8 * np.sqrt(height) + 1e-6, 70.0 * np.sqrt(height) + 1e-6
    return np.asarray(((x - side * 80.0) / wide) ** 2 + (y / deep) ** 2 < 1) & (z < 35)


def in_lumen(x: Floats, y: Floats, z: Floats) -> Bools:
    trachea = (np.hypot(x, y + 20) < 9) & (z > CARINA)
    apart = np.clip((CARINA - z) * 0.8, 0, None) + 8
    bronchi = (np.hypot(np.abs(x) - apart, y + 20) < 6) & (z <= CARINA) & (z > CARINA - 30)
    return np.asarray(trachea | bronchi)


def chest_hu(x: Floats, y: Floats, z: Floats) -> Floats:
    x, y, z = np.broadcast_arrays(x, y, z)
    hu = np.where(in_body(x, y, z), 40.0, -1000.0)
    for side in (1, -1):
        lung = in_lung(x, y, z, side)
        hu[lung] = -820.0
        hu[lung & (np.hypot(x - side * 80, y - 10) < 4)] = 50.0
    wall = (np.hypot(x, y + 20) < 11) & (z > CARINA)
    hu[wall] = 20.0
    hu[in_lumen(x, y, z)] = -995.0
    return hu


def scanned(hu: object = chest_hu) -> Volume:
    return sampled(hu, HEIGHTS)  # type: ignore[arg-type]


def given(volume: Volume, *, larynx: bool = True) -> RuleInput:
    """The volume with its External, and a larynx around the airway above LARYNX_LOW."""
    outline = external(RuleInput(volume, {}, lambda organ: None))["External"]
    assert isinstance(outline, Outlined)
    fields: Mapping[str, ProbabilityField] = {"External": outline.field}
    if larynx:
        x, y, z = points(volume)
        box = (np.abs(x) < 20) & (np.abs(y + 20) < 20) & (z >= LARYNX_LOW) & (z < 85)
        fields = {**fields, "Larynx": ProbabilityField.of_mask(box)}
    return RuleInput(volume, {}, fields.get)
