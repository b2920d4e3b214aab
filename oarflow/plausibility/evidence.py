"""The input of the rules, gathered once: measurements of each contour and of its surroundings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from oarflow.faces import cut_sides
from oarflow.geometry import Grid
from oarflow.organs import Catalogue, Organ
from oarflow.plausibility.edges import hidden_ends
from oarflow.plausibility.facts import Facts, measure
from oarflow.plausibility.image import Look, look
from oarflow.structures import Localization, Segmentation, Side
from oarflow.types import Triple
from oarflow.volume import Volume


@dataclass(frozen=True)
class Localized:
    """The localizer's result along the volume's axes (z, y, x), in mm from its first voxel.

    x and y faces are half the extent away from the centre of mass, because a Localization has no
    box.
    """

    centre_mm: Triple
    low_mm: Triple
    high_mm: Triple


@dataclass(frozen=True, eq=False)
class Contour:
    """One contoured organ. organ: None where the catalogue lacks it. cut: faces that cut it.

    hidden: faces along z where much of the CT was cut away.
    """

    item: Segmentation
    organ: Organ | None
    facts: Facts
    look: Look
    cut: frozenset[Side]
    hidden: frozenset[Side]
    localized: Localized | None

    @property
    def derived(self) -> bool:
        """Whether a rule made it, or computed the labels from which its network learned."""
        model = self.item.model
        return model is not None and (model.derived_labels or model.rule)

    @property
    def ruled(self) -> bool:
        """Whether a rule made it."""
        return self.item.model is not None and self.item.model.rule

    @property
    def imported(self) -> bool:
        """Whether an imported network made it."""
        return self.item.model is not None and self.item.model.imported


@dataclass(frozen=True, eq=False)
class Scene:
    """All contours of one patient, by organ. age_years: None where the header lacks it."""

    grid: Grid
    contours: Mapping[str, Contour]
    age_years: float | None = None


def gather(volume: Volume, segmentations: Sequence[Segmentation], catalogue: Catalogue) -> Scene:
    """Measure every segmentation that has a field."""
    contours = {
        item.organ: contour_of(volume, item, catalogue)
        for item in segmentations
        if item.field is not None and item.field.mask.any()
    }
    return Scene(volume.grid, contours, volume.source.patient_age_years)


def contour_of(
    volume: Volume, item: Segmentation, catalogue: Catalogue, known: Look | None = None
) -> Contour:
    """Measure a segmentation that has a field. known: the CT's look around it, if already known."""
    assert item.field is not None
    grid = volume.grid
    facts = measure(volume.hu, grid, item.field)
    found = item.localization
    return Contour(
        item,
        catalogue.organ(item.organ) if item.organ in catalogue else None,
        facts,
        known or look(volume.hu, grid, item.field.box),
        cut_sides(item.field, grid, found.cut if found else frozenset()),
        hidden_ends(volume.hu, grid, facts.low_mm[0], facts.high_mm[0]),
        _localized(grid, found),
    )


def _localized(grid: Grid, found: Localization | None) -> Localized | None:
    if (
        found is None
        or found.by_neighbours
        or None in (found.centroid_lps, found.extent_mm, found.slices)
    ):
        return None
    assert found.centroid_lps is not None
    assert found.extent_mm is not None
    z, y, x = (float(mm) for mm in grid.patient_to_axes(np.asarray(found.centroid_lps)))
    _, rows, columns = found.extent_mm
    assert found.slices is not None
    first, last = found.slices
    thick = grid.slice_thickness_mm
    bottom = float(grid.offsets_mm[first] - thick[first] / 2)
    top = float(grid.offsets_mm[last] + thick[last] / 2)
    return Localized(
        (z, y, x), (bottom, y - rows / 2, x - columns / 2), (top, y + rows / 2, x + columns / 2)
    )
