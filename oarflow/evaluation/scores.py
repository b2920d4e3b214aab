"""One case's contours against its reference, organ by organ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from oarflow.compare.overlap import dice, volume_cc, within_slices
from oarflow.compare.surfaces import surface_distances
from oarflow.datasets.cases import Case
from oarflow.datasets.labels import doubts
from oarflow.evaluation.asked import unasked
from oarflow.geometry import Grid, Mask
from oarflow.organs import Catalogue
from oarflow.result import OrganPart, ResultDocument
from oarflow.rtstruct.raster import rasterise
from oarflow.rtstruct.reader import read_structure_set


@dataclass(frozen=True)
class OrganScore:
    """One organ of one case that has a reference.

    status: from result.json; "no result" where the whole run was refused or failed. flags: codes,
    those of the whole study too.
    dice_within: on the reference's own slices. hd95_mm: None where nothing was contoured.
    swapped: whether it fits the other side's reference better than its own. doubt: what speaks
    against the reference, or "".
    """

    case: str
    organ: str
    status: str
    flags: tuple[str, ...]
    dice: float
    dice_within: float
    hd95_mm: float | None
    volume_cc: float
    reference_cc: float
    swapped: bool
    doubt: str

    @property
    def volume_error(self) -> float:
        """Relative difference of the volume from the reference's."""
        return self.volume_cc / self.reference_cc - 1

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> OrganScore:
        return cls(**{**stored, "flags": tuple(stored["flags"])})

    def stored(self) -> dict[str, Any]:
        return asdict(self)


def score_case(
    case: Case,
    result: ResultDocument,
    masks: Mapping[str, Mask],
    organs: frozenset[str],
    catalogue: Catalogue,
) -> list[OrganScore]:
    """Scores of the organs that have a reference and, being in `organs`, a model.

    An organ that the settings do not ask for has no score.
    masks: the contoured organs on the case's own grid, bool (z, y, x).
    """
    statuses = {part.name: part for part in result.organs}
    said = doubts(case, catalogue)
    masks = {organ: case.labelled(mask) for organ, mask in masks.items()}
    scores = []
    for organ, drawn in case.masks.items():
        part = statuses.get(organ)
        if organ not in organs or unasked(organ, result, organs, catalogue) or not drawn.any():
            continue
        mask = masks.get(organ, np.zeros_like(drawn))
        hd95 = surface_distances(mask, drawn, case.spacing_zyx).hausdorff(95)
        partner = catalogue.organ(organ).partner
        other = case.masks.get(partner) if partner else None
        own = dice(mask, drawn)
        scores.append(
            OrganScore(
                case=case.id,
                organ=organ,
                status=part.status.value if part else "no result",
                flags=flag_codes(result, part),
                dice=own,
                dice_within=dice(*within_slices(mask, drawn)),
                hd95_mm=hd95 if math.isfinite(hd95) else None,
                volume_cc=volume_cc(mask, case.spacing_zyx),
                reference_cc=volume_cc(drawn, case.spacing_zyx),
                swapped=other is not None and dice(mask, other) > own,
                doubt=said[organ],
            )
        )
    return scores


def flag_codes(result: ResultDocument, part: OrganPart | None) -> tuple[str, ...]:
    """Codes of the flags that a reader of the result sees of an organ: its own, and the study's."""
    own = part.flags if part else ()
    return tuple(flag.code.value for flag in (*own, *result.study_flags))


def read_masks(rtstruct: Path, grid: Grid) -> dict[str, Mask]:
    """The regions of an RTSTRUCT as masks (z, y, x) on a grid, by ROI name."""
    structures = read_structure_set(rtstruct)
    return {roi.name: found.full(grid.shape) for roi, found in rasterise(structures, grid)}
