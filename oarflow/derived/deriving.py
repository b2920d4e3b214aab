"""Derived structures of a study: made from the contours, with what they inherit from them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from oarflow.derived.operators import carried_out
from oarflow.derived.structures import DerivedStructure
from oarflow.faces import cut_sides
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.rtstruct.contours import ContourOptions
from oarflow.rtstruct.islands import with_gaps_filled, without_islands
from oarflow.rtstruct.specs import RoiSpec
from oarflow.structures import ProbabilityField, Segmentation, Side, Status

LOGGER = logging.getLogger(__name__)


def derived(
    grid: Grid,
    segmentations: Sequence[Segmentation],
    structures: Sequence[DerivedStructure],
    specs: Mapping[str, RoiSpec],
    options: ContourOptions,
) -> tuple[Segmentation, ...]:
    """A segmentation for each structure; its own trouble ends in a status, not in an exception.

    structures: parents before children. specs, options: decide what is contoured of each parent,
    such as without small islands. Structures are made from that.
    """
    parents = {item.organ: item for item in segmentations}
    drawn = {}
    results = []
    for structure in structures:
        for name in structure.recipe.parents:
            item = parents.get(name)
            if name not in drawn and item is not None and item.field is not None:
                drawn[name] = _contoured(item.field, grid, specs[name], options)
        started = time.monotonic()
        result = _derived(structure, grid, parents, drawn)
        parents[structure.name] = replace(result, seconds=time.monotonic() - started)
        results.append(parents[structure.name])
    return tuple(results)


def _contoured(
    field: ProbabilityField, grid: Grid, spec: RoiSpec, options: ContourOptions
) -> ProbabilityField:
    """The field as the writer contours it."""
    kept, _ = without_islands(field, grid, spec.minimum_island_cc)
    return with_gaps_filled(kept, grid, options.interpolate_gaps)[0]


def _derived(
    structure: DerivedStructure,
    grid: Grid,
    parents: Mapping[str, Segmentation],
    drawn: Mapping[str, ProbabilityField],
) -> Segmentation:
    recipe = structure.recipe
    blank = Segmentation(
        structure.name, Status.NOT_DERIVED, parents=recipe.parents, recipe=recipe.words
    )
    missing = tuple(
        parent_missing(name, parents.get(name)) for name in recipe.parents if name not in drawn
    )
    if missing:
        return replace(blank, flags=missing)
    try:
        field = carried_out(recipe, drawn, grid)
    except Exception:
        LOGGER.exception("structure %s failed", structure.name)
        return replace(blank, flags=(Flag.of(FlagCode.RECIPE_ERROR),))
    if field is None:
        return replace(blank, flags=(Flag.of(FlagCode.NOTHING_LEFT, recipe=recipe.words),))
    cut = _newly_cut(field, [drawn[name] for name in recipe.parents], grid)
    ancestors = [parents[name] for name in recipe.parents]
    return _inherited(blank.with_field(field, grid), ancestors, cut)


def parent_missing(name: str, parent: Segmentation | None) -> Flag:
    """The flag of a structure whose parent has no contour. None: it was not requested."""
    status = Status.NO_MODEL if parent is None else parent.status
    codes = [] if parent is None else [flag.code for flag in parent.flags]
    return Flag.of(
        FlagCode.PARENT_MISSING, parent=name, status=status.replace("_", " "), codes=codes
    )


def _newly_cut(
    field: ProbabilityField, parents: Sequence[ProbabilityField], grid: Grid
) -> frozenset[Side]:
    """Faces of the CT that cut a structure, but none of its parents."""
    cut = cut_sides(field, grid)
    return cut.difference(*(cut_sides(parent, grid) for parent in parents)) if cut else cut


def _inherited(
    result: Segmentation, parents: Sequence[Segmentation], cut: frozenset[Side]
) -> Segmentation:
    """The result with the doubts about its parents, and its own cut by the field of view."""
    doubtful = [parent for parent in parents if parent.status is Status.SUSPICIOUS]
    truncated = [parent for parent in parents if parent.status is Status.TRUNCATED]
    flags = [
        *(
            Flag.of(
                FlagCode.PARENT_SUSPICIOUS,
                parent=parent.organ,
                codes=[flag.code for flag in parent.flags],
            )
            for parent in doubtful
        ),
        *(Flag.of(FlagCode.PARENT_TRUNCATED, parent=parent.organ) for parent in truncated),
        *([Flag.of(FlagCode.FIELD_OF_VIEW, sides=sorted(cut))] if cut else []),
    ]
    status = Status.TRUNCATED if truncated or cut else Status.SEGMENTED
    if doubtful:
        status = Status.SUSPICIOUS
    return replace(result, status=status, flags=tuple(flags))
