"""What contours mean for dose: the same plan read inside predicted and inside clinical contours.

After TWOSTEP ("Dosimetric evaluation", table 3): dose statistics of both, their difference, and a
paired test of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oarflow.compare.overlap import dice
from oarflow.datasets.cases import Case
from oarflow.datasets.clinic import contents
from oarflow.datasets.labels import doubts
from oarflow.datasets.openkbp import openkbp_dose
from oarflow.dose.figures import (
    DVH_GY,
    STATISTICS,
    DoseStatistics,
    dose_inside,
    histogram,
    statistics,
)
from oarflow.dose.rtdose import plan_dose
from oarflow.errors import Refusal
from oarflow.evaluation.comparison.contours import common_grid
from oarflow.evaluation.comparison.folders import both_sides, remarks_on
from oarflow.evaluation.scoring.outcomes import read_masks
from oarflow.geometry import Grid
from oarflow.intake.scan import scan
from oarflow.organs import Catalogue
from oarflow.rtstruct.errors import ReadError
from oarflow.tables import write_csv
from oarflow.types import Mask
from oarflow.volume import Image


@dataclass(frozen=True, eq=False)
class OrganDose:
    """One organ of one case. predicted, its histogram and dice: None and 0 where not contoured.

    clinical_dvh, predicted_dvh: share of the covered volume with at least each dose of `DVH_GY`.
    doubt: what speaks against the clinical contour, or "".
    """

    case: str
    organ: str
    clinical: DoseStatistics
    predicted: DoseStatistics | None
    dice: float
    clinical_dvh: NDArray[np.float64]
    predicted_dvh: NDArray[np.float64] | None
    doubt: str = ""

    @property
    def covered(self) -> bool:
        """Whether the dose grid covers every contour that was drawn wholly."""
        sides = (self.clinical, self.predicted)
        return all(side.covered == 1 for side in sides if side is not None)

    @property
    def comparable(self) -> bool:
        """Whether both contours were drawn, and are wholly covered."""
        return self.predicted is not None and self.covered

    def difference(self, statistic: str) -> float:
        """Predicted minus clinical, in Gy. nan where they are not comparable."""
        if not self.comparable:
            return math.nan
        return float(getattr(self.predicted, statistic) - getattr(self.clinical, statistic))


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
        doubted = doubts(case, catalogue)
        for organ, mask in case.masks.items():
            if organ not in organs or not mask.any():
                continue
            found = drawn.get(organ, np.zeros_like(mask))
            yield _organ(_ContourPair(case_id, organ, mask, found), dose, dose.grid, doubted[organ])


@dataclass(frozen=True)
class FolderDoses:
    """What folders of cases gave.

    failed: cases that could not be read, and why. remarks: sentences for the page. left_out: organs
    of the reference that no prediction has, with their contours.
    """

    doses: tuple[OrganDose, ...]
    failed: Mapping[str, str]
    remarks: tuple[str, ...]
    left_out: Mapping[str, int]


def folder_doses(reference: Path, prediction: Path, catalogue: Catalogue) -> FolderDoses:
    """Folders of cases, each with an RTDOSE of the whole plan in the reference's.

    Every organ of the reference counts: one that the prediction lacks, or a case that it lacks, as
    not contoured. Raises ValueError where the two share no folder, or no case can be read.
    """
    names = [path.name for path in sorted(reference.iterdir()) if path.is_dir()]
    if not any((prediction / name).is_dir() for name in names):
        raise ValueError(f"{reference} and {prediction} share no folder")
    doses: list[OrganDose] = []
    remarks: list[str] = []
    failed: dict[str, str] = {}
    kinds: Counter[str] = Counter()
    for name in names:
        try:
            found, told, kind = _folder(name, reference / name, prediction / name, catalogue)
        except (OSError, ValueError, Refusal, ReadError) as error:
            failed[name] = str(error)
            continue
        doses += found
        remarks += told
        kinds[kind] += 1
    if not doses:
        raise ValueError("; ".join(f"{name}: {why}" for name, why in failed.items()) or "no organ")
    types = ", ".join(f"{kind} in {count} cases" for kind, count in sorted(kinds.items()))
    drawn = {one.organ for one in doses if one.predicted}
    left_out = Counter(one.organ for one in doses if drawn and one.organ not in drawn)
    kept = tuple(one for one in doses if one.organ not in left_out)
    return FolderDoses(kept, failed, (f"Dose type: {types}.", *remarks), dict(left_out))


def _folder(
    name: str, reference: Path, prediction: Path, catalogue: Catalogue
) -> tuple[list[OrganDose], list[str], str]:
    """One case's organs, remarks, and the type of its dose."""
    wanted, drawn, missing = both_sides(reference, prediction, catalogue)
    dose = plan_dose(contents(scan(reference)).doses)
    sides = [one for one in (wanted, drawn) if one is not None]
    if dose.frame and any(one.frame not in (None, dose.frame) for one in sides):
        raise ValueError("the RTDOSE has another frame of reference than the contours")
    grid = common_grid(sides)
    found = []
    remarks = [f"{name}, RTDOSE: {remark}." for remark in dose.remarks]
    remarks += [f"{name}, {remark}" for remark in remarks_on(grid, catalogue, wanted, drawn)]
    for organ in wanted.organs:
        clinical = wanted.draw(organ, grid)
        if not clinical.any():
            remarks.append(f"{name}, reference, {organ}: it holds no voxel, and is left out.")
            continue
        has = drawn is not None and organ in drawn.organs
        predicted = drawn.draw(organ, grid) if drawn and has else np.zeros_like(clinical)
        found.append(_organ(_ContourPair(name, organ, clinical, predicted), dose, grid, ""))
    lacking = [one.organ for one in found if one.predicted is None]
    if missing:
        remarks.append(f"{name} has no prediction ({missing}): its organs count as missed.")
    elif lacking:
        remarks.append(f"{name}, not contoured: {', '.join(lacking)}.")
    return found, remarks, dose.kind


@dataclass(frozen=True, eq=False)
class _ContourPair:
    case: str
    organ: str
    clinical: Mask
    predicted: Mask


def _organ(pair: _ContourPair, dose: Image, grid: Grid, doubted: str) -> OrganDose:
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


def write_statistics(path: Path, doses: Sequence[OrganDose]) -> None:
    """One line per case and organ: Gy of the covered part of each contour, and the covered share.

    Blank where nothing was contoured or nothing is covered.
    """
    columns = (*STATISTICS, "covered")
    sides = [f"{side}_{name}" for side in ("clinical", "predicted") for name in columns]
    rows = (
        (
            one.case,
            one.organ,
            *_figures(one.clinical),
            *_figures(one.predicted),
            f"{one.dice:.4f}",
            one.doubt,
        )
        for one in doses
    )
    write_csv(path, ("case", "organ", *sides, "dice", "doubt"), rows)


def _figures(found: DoseStatistics | None) -> list[str]:
    """Cells of `STATISTICS` and of the covered share."""
    if found is None:
        return [""] * (len(STATISTICS) + 1)
    values = (getattr(found, name) for name in STATISTICS)
    gy = ["" if math.isnan(value) else f"{value:.3f}" for value in values]
    return [*gy, f"{found.covered:.6g}"]


def write_dvh(path: Path, doses: Sequence[OrganDose]) -> None:
    """One line per case, organ and contour: share of its covered volume with at least each dose.

    Blank where nothing is covered.
    """
    head = ("case", "organ", "contour", "covered", *(f"{gy:g} Gy" for gy in DVH_GY))
    write_csv(path, head, (row for one in doses for row in _histograms(one)))


def _histograms(one: OrganDose) -> Iterator[tuple[str, ...]]:
    for side in ("clinical", "predicted"):
        found, shares = getattr(one, side), getattr(one, f"{side}_dvh")
        if found is not None:
            cells = ("" if math.isnan(share) else f"{share:.4g}" for share in shares)
            yield one.case, one.organ, side, f"{found.covered:.6g}", *cells
