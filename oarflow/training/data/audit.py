"""A look at the labels before anything is fitted to them: facts of each, and what stands out."""

from __future__ import annotations

import csv
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from scipy import ndimage

from oarflow.training.cases import TrainingCase

OUTLIER = 4.0
"""A label stands out when a fact lies this many robust standard deviations from the median."""


@dataclass(frozen=True)
class LabelFacts:
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


def label_facts(cases: Iterable[TrainingCase], lowest_hu: int = -1024) -> Iterator[LabelFacts]:
    """Facts of every label; voxels at lowest_hu count as without CT."""
    for case in cases:
        for organ, mask in case.masks.items():
            planes = np.flatnonzero(mask.any(axis=(1, 2)))
            labels, count = ndimage.label(mask, np.ones((3, 3, 3)))
            sizes = ndimage.sum_labels(mask, labels, np.arange(1, count + 1))
            yield LabelFacts(
                case.name,
                organ,
                float(mask.sum() * np.prod(case.spacing_mm) / 1000),
                float((planes[-1] - planes[0] + 1) * case.spacing_mm[0]),
                float(case.ct[mask].mean()),
                float(sizes.max() / mask.sum()),
                int(planes[-1] - planes[0] + 1 - len(planes)),
                float((case.ct[mask] <= lowest_hu).mean()),
            )


def outliers(facts: Iterable[LabelFacts]) -> list[tuple[LabelFacts, str]]:
    """Labels that stand out, each with the reason; every one wants a look at its picture."""
    by_organ: dict[str, list[LabelFacts]] = defaultdict(list)
    for fact in facts:
        by_organ[fact.organ].append(fact)
    found = []
    for some in by_organ.values():
        for name in ("volume_cc", "length_mm", "mean_hu"):
            values = [float(getattr(fact, name)) for fact in some]
            middle = statistics.median(values)
            spread = 1.4826 * statistics.median(abs(value - middle) for value in values)
            found += [
                (fact, f"{name} {value:.4g}, median {middle:.4g}")
                for fact, value in zip(some, values, strict=True)
                if abs(value - middle) > OUTLIER * spread
            ]
        found += [(fact, "in pieces") for fact in some if fact.largest_part < 0.9]
        found += [(fact, "with empty planes inside") for fact in some if fact.empty_planes]
        found += [(fact, "partly outside the CT") for fact in some if fact.outside > 0.1]
    return sorted(found, key=lambda pair: (pair[0].organ, pair[0].case))


def write_facts(facts: Iterable[LabelFacts], path: Path) -> None:
    """All facts as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [field.name for field in fields(LabelFacts)]
        writer.writerow(names)
        for fact in facts:
            writer.writerow([getattr(fact, name) for name in names])
