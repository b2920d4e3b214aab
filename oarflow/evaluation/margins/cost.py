"""Processor time of External and six recipes on a large CT."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from pydicom import Dataset

from oarflow.derived.operators import carried_out
from oarflow.derived.recipes import Directions, Grow, Recipe, Ring, Shrink, Subtract, Union
from oarflow.geometry import Grid
from oarflow.masks import bounding_box
from oarflow.rules.external import LEVEL_HU, RAMP_HU, external
from oarflow.rules.rule import RuleInput
from oarflow.structures import ProbabilityField
from oarflow.types import FloatArray, FloatVoxels
from oarflow.volume import Source, Volume

SHAPE, STEP_MM, PIXEL_MM = (186, 512, 512), 1.45, 0.998

COUCH_ROWS, COUCH_COLUMNS, COUCH_HU = slice(400, 415), slice(60, 450), 100.0

NOISE_HU = 12.0

RUNS = 3
"""Each structure is timed this often; the least time counts, because other work only adds."""

RECIPES: Mapping[str, Recipe] = {
    "SpinalCord_PRV05": Grow(grow="SpinalCord", mm=5),
    "Brainstem_PRV03": Grow(grow="Brainstem", mm=Directions(lateral=3, superior=5, inferior=3)),
    "Parotids": Union(union=("Parotid_L", "Parotid_R")),
    "External_crop": Shrink(shrink="External", mm=5),
    "Ring_Cord": Ring(ring="SpinalCord", from_mm=5, to_mm=15, within="External"),
    "Oral_minus_bone": Subtract(subtract=("Cavity_Oral", "Bone_Mandible")),
}


def seconds() -> dict[str, float]:
    """Processor seconds by structure."""
    grid, fields = _patient()
    given = RuleInput(_ct(fields["External"], grid), {}, lambda _: None)
    found = {"External": _least(lambda: external(given))}
    for name, recipe in RECIPES.items():
        found[name] = _least(partial(carried_out, recipe, fields, grid))
    return found


def _least(work: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def _patient() -> tuple[Grid, dict[str, ProbabilityField]]:
    """A body with shoulders, neck and head, and organs of usual size."""
    positions = np.zeros((SHAPE[0], 3))
    positions[:, 2] = np.arange(SHAPE[0]) * STEP_MM
    grid = Grid(
        positions,
        np.array([1.0, 0.0, 0.0]),
        np.array([0.0, 1.0, 0.0]),
        (PIXEL_MM, PIXEL_MM),
        SHAPE,
    )
    organs = {
        "SpinalCord": (np.array([110.0, 300.0, 255.0]), np.array([95.0, 6.0, 7.0])),
        "Brainstem": (np.array([215.0, 285.0, 255.0]), np.array([22.0, 14.0, 15.0])),
        "Parotid_L": (np.array([190.0, 270.0, 315.0]), np.array([25.0, 18.0, 13.0])),
        "Parotid_R": (np.array([190.0, 270.0, 195.0]), np.array([25.0, 18.0, 13.0])),
        "Cavity_Oral": (np.array([170.0, 215.0, 255.0]), np.array([25.0, 30.0, 28.0])),
        "Bone_Mandible": (np.array([165.0, 200.0, 255.0]), np.array([20.0, 20.0, 40.0])),
    }
    fields = {name: _ellipsoid(grid, *organ) for name, organ in organs.items()}
    return grid, fields | {"External": _body(grid)}


def _ct(body: ProbabilityField, grid: Grid) -> Volume:
    """The CT of that body on a couch, with noise."""
    hu = np.full(grid.shape, -1000.0, dtype=np.float32)
    hu[body.box] = np.where(body.values < 1, LEVEL_HU + RAMP_HU * (body.values - 0.5), 30.0)
    hu[:, COUCH_ROWS, COUCH_COLUMNS] = np.maximum(hu[:, COUCH_ROWS, COUCH_COLUMNS], COUCH_HU)
    hu += np.random.default_rng(0).normal(0, NOISE_HU, hu.shape)
    uids = tuple(f"1.2.3.{number}" for number in range(len(hu)))
    return Volume(hu, grid, Source("1.2.1", "1.2.2", "1.2.4", "1.2.5", uids, Dataset(), ""))


def _ellipsoid(grid: Grid, centre: FloatArray, half: FloatArray) -> ProbabilityField:
    axes = [
        ((grid.axis_mm(axis) - middle) / size) ** 2
        for axis, (middle, size) in enumerate(zip(centre, half, strict=True))
    ]
    radius = np.sqrt(axes[0][:, None, None] + axes[1][:, None] + axes[2])
    return _cropped(0.5 + (1 - radius) * half.min() / 4)


def _body(grid: Grid) -> ProbabilityField:
    """Wide shoulders below, a rough skin, air above the head."""
    y, x = grid.axis_mm(1)[:, None] - 260, grid.axis_mm(2) - 255
    angle = np.arctan2(y, x)
    values = np.zeros(grid.shape, dtype=np.float32)
    for k, z in enumerate(grid.offsets_mm[:-8]):
        width = 90 + 120 / (1 + np.exp((z - 80) / 8))
        height = 110 - 20 / (1 + np.exp((z - 150) / 8))
        radius = np.hypot(x / width, y / height) + 0.01 * np.sin(9 * angle + k / 5)
        values[k] = np.clip(0.5 + (1 - radius) * width / 6, 0, 1)
    return _cropped(values)


def _cropped(values: FloatArray | FloatVoxels) -> ProbabilityField:
    clipped = np.clip(values, 0, 1).astype(np.float32)
    z, y, x = box = bounding_box(clipped > 0)
    return ProbabilityField(clipped[box].copy(), (z.start, y.start, x.start))
