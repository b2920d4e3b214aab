"""What a run of the application gave of each organ that has a reference, and how well it fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from oarflow.compare.overlap import dice
from oarflow.compare.scores import TOLERANCE_MM, Score, score
from oarflow.datasets.cases import Case
from oarflow.flags.codes import FlagCode
from oarflow.flags.of_networks import OF_NETWORKS
from oarflow.geometry import Grid
from oarflow.organs import Catalogue
from oarflow.result import OrganPart, ResultDocument
from oarflow.rtstruct.raster import rasterise
from oarflow.rtstruct.reader import read_structure_set
from oarflow.structures import Status
from oarflow.types import Mask


@dataclass(frozen=True)
class OrganOutcome:
    """One organ of one case that has a reference: what the run said of it, and its score.

    status: from result.json; "no result" where the whole run was refused or failed. flags: codes,
    those of the whole study too. swapped: whether it fits the other side's reference better than
    its own. model_sha256: of the network that contoured it, where result.json names one. doubt:
    what speaks against the reference, or "".
    """

    score: Score
    status: str
    flags: tuple[str, ...]
    swapped: bool
    model_sha256: str | None = None
    doubt: str = ""

    @property
    def organ(self) -> str:
        """The organ's name in the catalogue."""
        return self.score.organ

    @property
    def case(self) -> str:
        """The case's id."""
        return self.score.case

    @property
    def hd95_mm(self) -> float | None:
        """None where nothing was contoured."""
        return None if self.score.empty else self.score.hd95_mm

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> OrganOutcome:
        """From what `stored` gave."""
        score = Score(**stored["score"])
        return cls(**{**stored, "score": score, "flags": tuple(stored["flags"])})

    def stored(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)


def outcomes(
    case: Case,
    result: ResultDocument,
    masks: Mapping[str, Mask],
    organs: Iterable[str],
    catalogue: Catalogue,
    *,
    tolerance_mm: float = TOLERANCE_MM,
) -> list[OrganOutcome]:
    """Outcomes of those of the organs whose reference is not empty.

    masks: contours of the run by catalogue name, on the case's own grid, bool (z, y, x); an organ
    that it lacks was not contoured.
    """
    parts = {part.name: part for part in result.organs}
    found = []
    for organ in organs:
        reference = case.masks[organ]
        if not reference.any():
            continue
        mask = case.labelled(masks[organ]) if organ in masks else np.zeros_like(reference)
        fit = score(case.id, organ, mask, reference, case.spacing_zyx, tolerance_mm=tolerance_mm)
        partner = catalogue.organ(organ).partner
        other = case.masks.get(partner) if partner else None
        swapped = other is not None and dice(mask, other) > fit.dsc
        part = as_commissioned(parts[organ]) if organ in parts else None
        found.append(
            OrganOutcome(
                fit,
                part.status.value if part else "no result",
                flag_codes(result, part),
                swapped,
                part.model.sha256 if part and part.model else None,
            )
        )
    return found


def as_commissioned(part: OrganPart) -> OrganPart:
    """The organ as if its network were commissioned.

    The flags of networks say nothing about the contour. They would hide wrong contours that carry
    no other flag.
    """
    flags = tuple(flag for flag in part.flags if flag.code not in OF_NETWORKS)
    if flags == part.flags:
        return part
    status = part.status
    if not flags:
        status = Status.SEGMENTED
    elif [flag.code for flag in flags] == [FlagCode.FIELD_OF_VIEW]:
        status = Status.TRUNCATED
    return part.model_copy(update={"flags": flags, "status": status})


def flag_codes(result: ResultDocument, part: OrganPart | None) -> tuple[str, ...]:
    """Codes of the flags that a reader of the result sees of an organ: its own, and the study's."""
    own = part.flags if part else ()
    return tuple(flag.code.value for flag in (*own, *result.study_flags))


def read_masks(rtstruct: Path, grid: Grid) -> dict[str, Mask]:
    """The regions of an RTSTRUCT as masks (z, y, x) on a grid, by ROI name."""
    structures = read_structure_set(rtstruct)
    return {roi.name: found.full(grid.shape) for roi, found in rasterise(structures, grid)}


def contoured_masks(
    rtstruct: Path, result: ResultDocument, grid: Grid, catalogue: Catalogue
) -> dict[str, Mask]:
    """A run's contours as masks (z, y, x) by catalogue name, whatever its settings call them."""
    rois = result.settings.get("rois", {})
    prefix, names = rois.get("prefix", ""), rois.get("names", {})
    organs = {prefix + names.get(organ.name, organ.name): organ.name for organ in catalogue}
    masks = read_masks(rtstruct, grid)
    return {organs[name]: mask for name, mask in masks.items() if name in organs}
