"""A CT by formula, organs by formula in patient space, and the RTSTRUCT written of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from oarflow.geometry import Grid
from oarflow.intake import SeriesRules, read_volume
from oarflow.rtstruct.contours import ContourOptions, structure_set
from oarflow.rtstruct.model import StructureSet
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.specs import RoiSpec
from oarflow.rtstruct.writer import write_rtstruct
from oarflow.structures import ProbabilityField, Segmentation, Status
from oarflow.volume import Volume
from tests.phantoms import make_series, write_series

Shape = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Probability 0 to 1 at patient coordinates x, y, z (LPS, mm)."""

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Shape:
    """A hard-edged box in patient space."""

    def shape(*xyz: np.ndarray) -> np.ndarray:
        inside = np.ones(np.broadcast_shapes(*(c.shape for c in xyz)), dtype=bool)
        for c, lower, upper in zip(xyz, low, high, strict=True):
            inside &= (c > lower) & (c < upper)
        return inside.astype(np.float32)

    return shape


def ball(centre: tuple[float, float, float], radius: float, soft_mm: float = 0.0) -> Shape:
    """A ball whose probability falls from 1 to 0 over soft_mm across its surface."""

    def shape(*xyz: np.ndarray) -> np.ndarray:
        distance = np.sqrt(sum((c - m) ** 2 for c, m in zip(xyz, centre, strict=True)))
        if not soft_mm:
            return (distance <= radius).astype(np.float32)
        return np.clip(0.5 + (radius - distance) / soft_mm, 0, 1).astype(np.float32)

    return shape


def shell(centre: tuple[float, float, float], outer: float, inner: float) -> Shape:
    """A ball with a hole."""
    return lambda x, y, z: ball(centre, outer)(x, y, z) * (1 - ball(centre, inner)(x, y, z))


def joined(*shapes: Shape) -> Shape:
    """The union of shapes."""
    return lambda x, y, z: np.max([shape(x, y, z) for shape in shapes], axis=0)


def field_of(shape: Shape, grid: Grid) -> ProbabilityField:
    """A shape sampled at the grid's voxel centres, cropped to what is not zero."""
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    points = grid.index_to_patient(index)
    values = np.asarray(shape(points[..., 0], points[..., 1], points[..., 2]), dtype=np.float32)
    return cropped(values)


def cropped(values: np.ndarray, threshold: float = 0.5) -> ProbabilityField:
    """A field of a whole volume (z, y, x), cropped to what is not zero."""
    where = np.argwhere(values > 0)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return ProbabilityField(values[box], tuple(int(v) for v in low), threshold)


@dataclass(frozen=True, eq=False)
class Case:
    """A CT on disk, its volume, and the structure set written of the fields."""

    files: dict[str, Path]
    volume: Volume
    fields: dict[str, ProbabilityField]
    structures: StructureSet
    path: Path

    def rewritten(self, structures: StructureSet, name: str = "other.dcm") -> Path:
        """Another structure set written on the same CT by the same writer."""
        path = self.path.with_name(name)
        write(path, structures, self.volume)
        return path


def write(path: Path, structures: StructureSet, volume: Volume) -> None:
    write_rtstruct(
        path,
        structures,
        volume.source,
        volume.grid,
        provenance=Provenance("0" * 64, "cpu"),
        when=WHEN,
    )


def specs_of(names: Mapping[str, object]) -> dict[str, RoiSpec]:
    return {name: RoiSpec(name, name, (255, 20 * i, 0)) for i, name in enumerate(names, start=1)}


def segmentations_of(fields: Mapping[str, ProbabilityField]) -> list[Segmentation]:
    return [Segmentation(name, Status.SEGMENTED, field) for name, field in fields.items()]


def make_case(
    folder: Path,
    shapes: Mapping[str, Shape],
    *,
    order: str = "ascending",
    options: ContourOptions | None = None,
    **phantom: object,
) -> Case:
    """Write a phantom CT, read it, sample the shapes on it, contour and write them."""
    datasets = make_series(**phantom)
    paths = write_series(folder / "ct", datasets, order=order)
    files = {str(d.SOPInstanceUID): p for d, p in zip(datasets, paths, strict=True)}
    rules = SeriesRules(max_oblique_degrees=90.0, min_slices=1)
    volume = read_volume(folder / "ct", rules).volume
    fields = {name: field_of(shape, volume.grid) for name, shape in shapes.items()}
    structures, _ = structure_set(
        volume.source,
        volume.grid,
        segmentations_of(fields),
        specs_of(fields),
        options=options or ContourOptions(),
    )
    path = folder / "rtstruct.dcm"
    write(path, structures, volume)
    return Case(files, volume, fields, structures, path)
