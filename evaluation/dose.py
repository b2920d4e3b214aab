"""What contours mean for dose: the same plan read inside predicted and inside clinical contours.

After TWOSTEP ("Dosimetric evaluation", table 3): dose statistics of both, their difference, and a
paired test of it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.cases import Case, Image, Mask
from datasets.clinic import contents
from datasets.dose import dose_inside, openkbp_dose, plan_dose
from datasets.labels import doubts
from evaluation.contours import common_grid, read_contours
from evaluation.scores import read_masks
from oarflow.geometry import Grid
from oarflow.intake.scan import scan
from oarflow.metrics import dice
from oarflow.organs import Catalogue

HOT_SHARE = 0.02
"""Share of the volume whose least dose is D2%."""

DVH_STEP_GY = 0.5
DVH_GY = np.arange(0.0, 80.0 + DVH_STEP_GY, DVH_STEP_GY)
"""Doses at which volume histograms are read."""


@dataclass(frozen=True)
class DoseStatistics:
    """Dose inside a contour, in Gy. d2_gy: the least dose of the hottest 2 % of the volume."""

    mean_gy: float
    max_gy: float
    d2_gy: float


STATISTICS: Mapping[str, str] = {"mean_gy": "Dmean", "max_gy": "Dmax", "d2_gy": "D2%"}
"""Attributes as tables name them."""


@dataclass(frozen=True, eq=False)
class OrganDose:
    """One organ of one case. predicted, its histogram and dice: None and 0 where not contoured.

    clinical_dvh, predicted_dvh: share of the volume with at least each dose of `DVH_GY`. doubt:
    what speaks against the clinical contour, or "".
    """

    case: str
    organ: str
    clinical: DoseStatistics
    predicted: DoseStatistics | None
    dice: float
    clinical_dvh: NDArray[np.float64]
    predicted_dvh: NDArray[np.float64] | None
    doubt: str = ""

    def difference(self, statistic: str) -> float:
        """Predicted minus clinical, in Gy. nan where nothing was contoured."""
        if self.predicted is None:
            return math.nan
        return float(getattr(self.predicted, statistic) - getattr(self.clinical, statistic))


def statistics(dose_gy: NDArray[np.float64]) -> DoseStatistics:
    """Of the dose (n,) in a contour's voxels, all of one size. Raises ValueError for none."""
    if not len(dose_gy):
        raise ValueError("a contour without voxels has no dose")
    hottest = max(1, math.ceil(HOT_SHARE * len(dose_gy) - 1e-9))
    d2 = np.partition(dose_gy, len(dose_gy) - hottest)[len(dose_gy) - hottest]
    return DoseStatistics(float(dose_gy.mean()), float(dose_gy.max()), float(d2))


def histogram(dose_gy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative: share of the voxels (n,) with at least each dose of `DVH_GY`."""
    ascending = np.sort(dose_gy)
    below = np.searchsorted(ascending, DVH_GY, side="left")
    return np.asarray(1 - below / len(ascending))


def openkbp_doses(
    cases: Mapping[str, Case],
    doses: Path,
    contours: Path,
    organs: frozenset[str],
    catalogue: Catalogue,
    *,
    ids: Sequence[str],
) -> Iterator[OrganDose]:
    """OpenKBP's patients of these ids. contours: folder of `<id>.dcm`; one without was refused.

    organs: those that a network contours.
    """
    for case_id in ids:
        case = cases[case_id]
        dose = openkbp_dose(doses, case)
        path = contours / f"{case_id}.dcm"
        drawn = read_masks(path, case.grid) if path.is_file() else {}
        said = doubts(case, catalogue)
        for organ, mask in case.masks.items():
            if organ not in organs or not mask.any():
                continue
            found = drawn.get(organ, np.zeros_like(mask))
            yield _organ(_Pair(case_id, organ, mask, found), dose, dose.grid, said[organ])


def folder_doses(reference: Path, prediction: Path, catalogue: Catalogue) -> Iterator[OrganDose]:
    """Folders of cases, each with an RTDOSE of the whole plan in the reference's.

    Organs that only one side has are passed over. Raises ValueError where a case has no dose, no
    contours, or contours of another frame of reference.
    """
    names = [path.name for path in sorted(reference.iterdir()) if path.is_dir()]
    shared = [name for name in names if (prediction / name).is_dir()]
    if not shared:
        raise ValueError(f"{reference} and {prediction} share no folder")
    for name in shared:
        wanted, drawn = (read_contours(side / name, catalogue) for side in (reference, prediction))
        dose = plan_dose(contents(scan(reference / name)).doses)
        grid = common_grid([wanted, drawn])
        for organ in (organ for organ in wanted.organs if organ in drawn.organs):
            pair = _Pair(name, organ, wanted.draw(organ, grid), drawn.draw(organ, grid))
            if pair.clinical.any():
                yield _organ(pair, dose, grid, "")


@dataclass(frozen=True, eq=False)
class _Pair:
    case: str
    organ: str
    clinical: Mask
    predicted: Mask


def _organ(pair: _Pair, dose: Image, grid: Grid, doubted: str) -> OrganDose:
    clinical = dose_inside(dose, pair.clinical, grid)
    has = bool(pair.predicted.any())
    predicted = dose_inside(dose, pair.predicted, grid) if has else None
    return OrganDose(
        pair.case,
        pair.organ,
        statistics(clinical),
        None if predicted is None else statistics(predicted),
        dice(pair.predicted, pair.clinical),
        histogram(clinical),
        None if predicted is None else histogram(predicted),
        doubted,
    )


def write_csv(path: Path, doses: Sequence[OrganDose]) -> None:
    """One line per case and organ, Gy; blank where nothing was contoured."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        sides = [f"{side}_{name}" for side in ("clinical", "predicted") for name in STATISTICS]
        writer.writerow(["case", "organ", *sides, "dice", "doubt"])
        for one in doses:
            clinical = [f"{getattr(one.clinical, name):.3f}" for name in STATISTICS]
            predicted = (
                [f"{getattr(one.predicted, name):.3f}" for name in STATISTICS]
                if one.predicted
                else [""] * len(STATISTICS)
            )
            row = [one.case, one.organ, *clinical, *predicted, f"{one.dice:.4f}", one.doubt]
            writer.writerow(row)
