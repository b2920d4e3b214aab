"""One mask against a reference: the figures of `scores.csv`, and that file itself."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from oarflow.compare.added_path import added_path_length
from oarflow.compare.overlap import overlap, volume_cc
from oarflow.compare.surfaces import surface_distances
from oarflow.geometry import Mask, Spacing

TOLERANCE_MM = 2.0
"""Of the surface Dice and the added path length where no other is asked for."""

_MARGIN = 1
"""Voxels left around both masks when they are cropped: their outlines need a neighbour."""


@dataclass(frozen=True)
class Score:
    """One organ of one case that has a reference. Lengths in mm, volumes in cc.

    Empty masks as `oarflow.compare` says: where nothing was contoured dsc is 0 and hd95_mm inf.
    """

    case: str
    organ: str
    dsc: float
    hd95_mm: float
    iou: float
    precision: float
    recall: float
    hd_mm: float
    mean_distance_mm: float
    surface_dice: float
    added_path_mm: float
    volume_cc: float
    reference_cc: float

    @property
    def empty(self) -> bool:
        """Whether nothing was contoured."""
        return self.volume_cc == 0

    @property
    def volume_error(self) -> float:
        """Relative difference of the volume from the reference's."""
        return self.volume_cc / self.reference_cc - 1


METRICS: Mapping[str, str] = {
    "dsc": "DSC",
    "iou": "IoU",
    "precision": "precision",
    "recall": "recall",
    "hd95_mm": "HD95 (mm)",
    "hd_mm": "HD (mm)",
    "mean_distance_mm": "mean distance (mm)",
    "surface_dice": "surface Dice",
    "added_path_mm": "added path (mm)",
    "volume_error": "volume error",
}
"""Attributes of a score as tables name them."""


def score(
    case: str,
    organ: str,
    mask: Mask,
    reference: Mask,
    spacing_zyx: Spacing,
    *,
    tolerance_mm: float = TOLERANCE_MM,
) -> Score:
    """Measure a mask against a reference, bool (z, y, x) on one grid of even spacing in mm.

    Raises ValueError where they do not fit, or the reference is empty.
    """
    if not reference.any():
        raise ValueError(f"{case}: the reference of {organ} is empty")
    box = _box(mask, reference)
    mask, reference = mask[box], reference[box]
    shared = overlap(mask, reference)
    distances = surface_distances(mask, reference, spacing_zyx)
    return Score(
        case=case,
        organ=organ,
        dsc=shared.dice,
        hd95_mm=distances.hausdorff(95),
        iou=shared.iou,
        precision=shared.precision,
        recall=shared.recall,
        hd_mm=distances.hausdorff(),
        mean_distance_mm=distances.mean(),
        surface_dice=distances.surface_dice(tolerance_mm),
        added_path_mm=added_path_length(mask, reference, spacing_zyx, tolerance_mm),
        volume_cc=volume_cc(mask, spacing_zyx),
        reference_cc=volume_cc(reference, spacing_zyx),
    )


def write_scores(path: Path, scores: Iterable[Score]) -> None:
    """One line per case and organ; `inf` where nothing was contoured."""
    names = [field.name for field in fields(Score)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for one in scores:
            row = asdict(one)
            writer.writerow(
                [f"{v:.6g}" if isinstance(v := row[name], float) else v for name in names]
            )


def read_scores(path: Path) -> tuple[Score, ...]:
    """Read what `write_scores` wrote.

    Raises ValueError naming file and line where it is something else.
    """
    names = [field.name for field in fields(Score)]
    with path.open(newline="", encoding="utf-8-sig") as file:  # as Excel writes it, too
        rows = csv.DictReader(file)
        if missing := set(names) - set(rows.fieldnames or ()):
            raise ValueError(f"{path.name} lacks the columns {', '.join(sorted(missing))}")
        found = []
        for line, row in enumerate(rows, start=2):
            try:
                figures = [float(row[name]) for name in names[2:]]
            except (TypeError, ValueError):
                raise ValueError(f"{path.name}, line {line}: not a number") from None
            found.append(Score(row["case"], row["organ"], *figures))
    return tuple(found)


def finite(values: Iterable[float]) -> list[float]:
    """Those that are numbers: infinite distances are of empty masks."""
    return [value for value in values if math.isfinite(value)]


def by_organ(scores: Sequence[Score], order: Sequence[str] = ()) -> dict[str, list[Score]]:
    """Scores by organ, in the order given, others behind by name."""
    place = {organ: k for k, organ in enumerate(order)}
    organs = sorted(
        {one.organ for one in scores}, key=lambda organ: (place.get(organ, len(place)), organ)
    )
    return {organ: [one for one in scores if one.organ == organ] for organ in organs}


def _box(mask: Mask, reference: Mask) -> tuple[slice, ...]:
    if mask.shape != reference.shape:
        raise ValueError(f"masks differ in shape: {mask.shape} and {reference.shape}")
    either = mask | reference
    box = []
    for axis in range(either.ndim):
        others = tuple(other for other in range(either.ndim) if other != axis)
        used = np.flatnonzero(either.any(axis=others))
        box.append(slice(max(0, int(used[0]) - _MARGIN), int(used[-1]) + 1 + _MARGIN))
    return tuple(box)
