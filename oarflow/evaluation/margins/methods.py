"""Ways to grow and shrink a shape: OARflow's, and distance maps of masks by other programs."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import which

import numpy as np

from oarflow.derived.growing import grown, shrunk
from oarflow.derived.margins import Margins
from oarflow.geometry import Grid
from oarflow.rtstruct.tracing import trace_rings
from oarflow.structures import ProbabilityField
from oarflow.types import FloatArray, FloatVoxels, Mask

SOFTNESS_MM = 6.0
"""Width across its surface over which a shape's probability falls from 1 to 0, as a network's."""

EVEN_MM = 1.0
"""Distance of the even slices that distance maps get: each takes the nearest slice's mask."""

Method = Callable[[FloatArray, Grid, float], ProbabilityField | None]
"""Moves the surface of a signed distance (z, y, x) by some mm: out where positive."""


def methods() -> Mapping[str, Method]:
    """The methods that can run here, by the name in the page."""
    found: dict[str, Method] = {"OARflow": from_field, "OARflow, from a mask": from_mask}
    found["SimpleITK"] = by_simpleitk
    if which("plastimatch"):
        found["plastimatch"] = by_plastimatch
    return found


def from_field(distance: FloatArray, grid: Grid, mm: float) -> ProbabilityField | None:
    """OARflow, from a field that is as smooth as a network's."""
    values = np.clip(0.5 + distance / SOFTNESS_MM, 0, 1).astype(np.float32)
    return _moved(ProbabilityField(values, (0, 0, 0)), grid, mm)


def from_mask(distance: FloatArray, grid: Grid, mm: float) -> ProbabilityField | None:
    """OARflow, from voxels that are inside or outside."""
    return _moved(ProbabilityField.of_mask(distance >= 0), grid, mm)


def by_simpleitk(distance: FloatArray, grid: Grid, mm: float) -> ProbabilityField | None:
    """The level of SimpleITK's signed Maurer distance map of the mask."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(_even(distance >= 0, grid).astype(np.uint8))
    image.SetSpacing((grid.spacing_yx[1], grid.spacing_yx[0], EVEN_MM))
    found = SimpleITK.SignedMaurerDistanceMap(
        image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True
    )
    return _at_level(SimpleITK.GetArrayFromImage(found), grid, mm)


def by_plastimatch(distance: FloatArray, grid: Grid, mm: float) -> ProbabilityField | None:
    """The level of plastimatch's distance map of the mask (`plastimatch dmap`)."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(_even(distance >= 0, grid).astype(np.uint8))
    image.SetSpacing((grid.spacing_yx[1], grid.spacing_yx[0], EVEN_MM))
    with tempfile.TemporaryDirectory() as folder:
        mask, out = Path(folder) / "mask.nrrd", Path(folder) / "distance.nrrd"
        SimpleITK.WriteImage(image, str(mask))
        command = ["plastimatch", "dmap", "--input", str(mask), "--output", str(out)]
        subprocess.run(
            [*command, "--inside-positive", "--algorithm", "maurer"],
            check=True,
            capture_output=True,
        )
        found = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(out)))
    return _at_level(found, grid, mm)


def outline(field: ProbabilityField, grid: Grid) -> tuple[FloatArray, FloatArray, FloatArray]:
    """z, y and x (mm) of all points of a field's outlines."""
    rings = trace_rings(field.values, field.threshold)
    slices = rings.slices[rings.index] + field.offset[0]
    y, x = ((rings.points + np.array(field.offset[1:])) * np.array(grid.spacing_yx)).T
    return grid.offsets_mm[slices], y, x


def _moved(field: ProbabilityField, grid: Grid, mm: float) -> ProbabilityField | None:
    margins = Margins.uniform(abs(mm))
    return grown(field, grid, margins) if mm > 0 else shrunk(field, grid, margins)


def _even(mask: Mask, grid: Grid) -> Mask:
    """The mask on even slices, each from the nearest slice."""
    z = np.arange(0, grid.offsets_mm[-1] + EVEN_MM / 2, EVEN_MM)
    nearest = np.abs(grid.offsets_mm[:, None] - z).argmin(axis=0)
    return np.asarray(mask[nearest])


def _at_level(distance: FloatVoxels, grid: Grid, mm: float) -> ProbabilityField:
    """The surface where a distance map on even slices is -mm, on the slices of a grid."""
    place = np.clip(grid.offsets_mm / EVEN_MM, 0, len(distance) - 1)
    below = np.minimum(place.astype(np.intp), len(distance) - 2)
    part = (place - below)[:, None, None]
    here = (1 - part) * distance[below] + part * distance[below + 1]
    values = np.clip(0.5 + (here + mm) / SOFTNESS_MM, 0, 1)
    return ProbabilityField(values.astype(np.float32), (0, 0, 0))
