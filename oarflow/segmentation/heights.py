"""Slices that a network of whole slices need not read, because its organs lie higher."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from oarflow.geometry import Grid
from oarflow.structures import Localization

ABOVE: Mapping[str, tuple[str, float]] = {"Brain": ("Brainstem", 30.0)}
"""By organ: another one, and a length (mm) under its lower end under which the first one never
lies. A brain ends at the foramen magnum, where the brainstem becomes the cord."""


def lowest_mm(
    organs: Iterable[str], localizations: Mapping[str, Localization], grid: Grid
) -> float:
    """Height along the slice normal, from the first slice, under which none of the organs lies.

    0 where an organ can lie anywhere. Only what the localizer itself saw counts.
    """
    return min((_lowest_mm(organ, localizations, grid) for organ in organs), default=0.0)


def _lowest_mm(organ: str, localizations: Mapping[str, Localization], grid: Grid) -> float:
    other, under_mm = ABOVE.get(organ, ("", 0.0))
    found = localizations.get(other)
    if found is None or not found.present or found.by_neighbours or found.slices is None:
        return 0.0
    return max(0.0, float(grid.offsets_mm[found.slices[0]]) - under_mm)
