"""Rules that set a contour to suspicious, each with its reason in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from oarflow.geometry import FloatArray, Grid
from oarflow.organs import Catalogue
from oarflow.structures import Segmentation, Status

AGREEMENT_MM = 20.0
"""Localizer and contour that lie further apart than this speak of different things."""

SIDE_MARGIN_MM = 5.0
"""A left organ lies at least this much further left than its right partner and than the cord."""

MIDLINE_ORGANS = ("Brainstem", "SpinalCord")

Centres = Mapping[str, FloatArray]


def assess(
    grid: Grid, segmentations: Sequence[Segmentation], catalogue: Catalogue
) -> tuple[Segmentation, ...]:
    """The segmentations with every flag that a rule raises; flagged ones become suspicious."""
    centres = {
        item.organ: centroid_lps(grid, item) for item in segmentations if item.field is not None
    }
    assessed = []
    for item in segmentations:
        if item.organ not in centres:
            assessed.append(item)
            continue
        flags = [flag for rule in _RULES for flag in rule(item, centres, catalogue)]
        status = Status.SUSPICIOUS if flags else item.status
        assessed.append(replace(item, status=status, flags=(*item.flags, *flags)))
    return tuple(assessed)


def centroid_lps(grid: Grid, item: Segmentation) -> FloatArray:
    """(3,) centre of mass (x, y, z) of a segmentation's mask in patient space, in mm."""
    assert item.field is not None
    inside = np.argwhere(item.field.mask) + item.field.offset
    return np.asarray(grid.index_to_patient(inside).mean(axis=0))


def _volume(item: Segmentation, centres: Centres, catalogue: Catalogue) -> Iterator[str]:
    if item.organ not in catalogue:
        return
    least, most = catalogue.organ(item.organ).volume_cc
    if item.volume_cc > most:
        yield f"volume {item.volume_cc:.1f} cc is above the plausible {most:g} cc"
    if item.volume_cc < least and item.status is not Status.TRUNCATED:
        yield f"volume {item.volume_cc:.1f} cc is below the plausible {least:g} cc"


def _side(item: Segmentation, centres: Centres, catalogue: Catalogue) -> Iterator[str]:
    if item.organ not in catalogue:
        return
    organ = catalogue.organ(item.organ)
    towards_left = {"L": 1.0, "R": -1.0}.get(organ.laterality)
    if towards_left is None:
        return
    for other in (organ.partner, *MIDLINE_ORGANS):
        if other is not None and other in centres:
            distance = float(centres[item.organ][0] - centres[other][0]) * towards_left
            if distance < SIDE_MARGIN_MM:
                yield f"does not lie on its side of {other}"


def _agreement(item: Segmentation, centres: Centres, catalogue: Catalogue) -> Iterator[str]:
    found = item.localization
    if found is None or found.centroid_lps is None:
        return
    distance = float(np.linalg.norm(centres[item.organ] - np.asarray(found.centroid_lps)))
    if distance > AGREEMENT_MM:
        yield f"lies {distance:.0f} mm from where the localizer saw the organ"


_RULES: tuple[Callable[[Segmentation, Centres, Catalogue], Iterator[str]], ...] = (
    _volume,
    _side,
    _agreement,
)
