"""Labels before a network is fitted: measurements of each, and those that stand out."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from scipy import ndimage

from oarflow.masks import volume_cc
from oarflow.tables import write_csv
from oarflow.training.data.cases import TrainingCase
from oarflow.types import triple

OUTLIER = 4.0
"""A label stands out where one lies this many robust standard deviations from the median."""


@dataclass(frozen=True)
class LabelMeasurements:
    """One label of one patient.

    largest_part: share of its largest component. empty_planes: between its first and last one.
    outside: share of it where no CT was published. length_mm: along z.
    """

    case: str
    organ: str
    volume_cc: float
    length_mm: float
    mean_hu: float
    largest_part: float
    empty_planes: int
    outside: float


def measure_labels(
    cases: Iterable[TrainingCase], lowest_hu: int = -1024
) -> Iterator[LabelMeasurements]:
    """Measurements of every label; voxels at lowest_hu count as without CT."""
    for case in cases:
        for organ, mask in case.masks.items():
            planes = np.flatnonzero(mask.any(axis=(1, 2)))
            labels, count = ndimage.label(mask, np.ones((3, 3, 3)))
            sizes = ndimage.sum_labels(mask, labels, np.arange(1, count + 1))
            yield LabelMeasurements(
                case.name,
                organ,
                volume_cc(mask, triple(case.spacing_mm)),
                float((planes[-1] - planes[0] + 1) * case.spacing_mm[0]),
                float(case.ct[mask].mean()),
                float(sizes.max() / mask.sum()),
                int(planes[-1] - planes[0] + 1 - len(planes)),
                float((case.ct[mask] <= lowest_hu).mean()),
            )


def outliers(labels: Iterable[LabelMeasurements]) -> list[tuple[LabelMeasurements, str]]:
    """Labels that stand out, each with the reason; look at the picture of each."""
    by_organ: dict[str, list[LabelMeasurements]] = defaultdict(list)
    for label in labels:
        by_organ[label.organ].append(label)
    found = []
    for some in by_organ.values():
        for name in ("volume_cc", "length_mm", "mean_hu"):
            values = [float(getattr(label, name)) for label in some]
            middle = statistics.median(values)
            spread = 1.4826 * statistics.median(abs(value - middle) for value in values)
            found += [
                (label, f"{name} {value:.4g}, median {middle:.4g}")
                for label, value in zip(some, values, strict=True)
                if abs(value - middle) > OUTLIER * spread
            ]
        found += [(label, "in pieces") for label in some if label.largest_part < 0.9]
        found += [(label, "with empty planes inside") for label in some if label.empty_planes]
        found += [(label, "partly outside the CT") for label in some if label.outside > 0.1]
    return sorted(found, key=lambda pair: (pair[0].organ, pair[0].case))


def write_measurements(labels: Iterable[LabelMeasurements], path: Path) -> None:
    """All measurements as CSV."""
    names = [field.name for field in fields(LabelMeasurements)]
    write_csv(path, names, ([getattr(label, name) for name in names] for label in labels))
