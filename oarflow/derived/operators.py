"""Recipes carried out on fields."""

from __future__ import annotations

from collections.abc import Mapping

from oarflow.derived.combining import between, difference, ends_mm, intersection, union
from oarflow.derived.growing import grown, shrunk
from oarflow.derived.margins import Margins
from oarflow.derived.recipes import (
    Grow,
    Intersect,
    Plane,
    Recipe,
    Ring,
    Shrink,
    Slices,
    Subtract,
    Union,
    Wall,
)
from oarflow.geometry import Grid
from oarflow.structures import ProbabilityField

Fields = Mapping[str, ProbabilityField]
"""Fields with at least one voxel inside, by structure."""


def carried_out(recipe: Recipe, fields: Fields, grid: Grid) -> ProbabilityField | None:
    """The structure that a recipe makes. None where nothing is left.

    fields: of all its parents.
    """
    result = _operated(recipe, fields, grid)
    if result is None or recipe.within is None:
        return result
    return intersection([result, fields[recipe.within]], grid)


def _operated(recipe: Recipe, fields: Fields, grid: Grid) -> ProbabilityField | None:
    if isinstance(recipe, Grow):
        return grown(fields[recipe.grow], grid, recipe.margins)
    if isinstance(recipe, Shrink):
        return shrunk(fields[recipe.shrink], grid, recipe.margins)
    if isinstance(recipe, Ring):
        return _ring(fields[recipe.ring], grid, recipe.from_mm, recipe.to_mm)
    if isinstance(recipe, Wall):
        return _wall(fields[recipe.wall], grid, recipe.mm)
    if isinstance(recipe, Slices):
        return _part(recipe, fields, grid)
    return _combined(recipe, fields, grid)


def _combined(
    recipe: Union | Intersect | Subtract, fields: Fields, grid: Grid
) -> ProbabilityField | None:
    if isinstance(recipe, Union):
        return union([fields[name] for name in recipe.union], grid)
    if isinstance(recipe, Intersect):
        return intersection([fields[name] for name in recipe.intersect], grid)
    first, *others = (fields[name] for name in recipe.subtract)
    return difference(first, others, grid)


def _wall(field: ProbabilityField, grid: Grid, mm: float) -> ProbabilityField | None:
    core = shrunk(field, grid, Margins.uniform(mm))
    return difference(field, [core] if core else [], grid)


def _ring(
    field: ProbabilityField, grid: Grid, from_mm: float, to_mm: float
) -> ProbabilityField | None:
    outer = grown(field, grid, Margins.uniform(to_mm))
    inner = grown(field, grid, Margins.uniform(from_mm)) if from_mm else field
    if outer is None or inner is None:
        return None
    return difference(outer, [inner, field], grid)


def _part(recipe: Slices, fields: Fields, grid: Grid) -> ProbabilityField | None:
    field = fields[recipe.slices]
    low, high = ends_mm(field, grid)
    if recipe.inferior is not None:
        low = _height(recipe.inferior, "inferior", recipe.slices, fields, grid)
    if recipe.superior is not None:
        high = _height(recipe.superior, "superior", recipe.slices, fields, grid)
    return between(field, grid, low, high)


def _height(plane: Plane, cut: str, own: str, fields: Fields, grid: Grid) -> float:
    """Where a plane lies, in mm along the normal from the first slice."""
    low, high = ends_mm(fields[plane.of or own], grid)
    return (high if (plane.end or cut) == "superior" else low) + plane.mm
