"""Scores of OARflow's, the clinic's and the second expert's contours against the first expert's.

The first expert, an oncologist, is the reference. All contours lie on OpenKBP's voxels. They are
compared on the slices that OpenKBP published: the experts drew on the whole scan.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from oarflow.compare.overlap import dice
from oarflow.compare.surfaces import surface_distances
from oarflow.datasets.cases import Case
from oarflow.datasets.experts import FIRST, SECOND, Experts
from oarflow.evaluation.application import model_files
from oarflow.evaluation.chain.run import contours_folder, evaluate
from oarflow.evaluation.limits.predictions import published
from oarflow.evaluation.scoring.outcomes import read_masks
from oarflow.flags.codes import FlagCode
from oarflow.masks import volume_cc
from oarflow.tables import write_csv
from oarflow.types import Mask

OARFLOW, CLINIC, OBSERVER = "OARflow", "clinic", "second expert"
SOURCES = (OARFLOW, CLINIC, OBSERVER)
"""Whose contours are compared with the first expert's."""

SHARED_ORGANS = ("Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Bone_Mandible")
"""Organs that OpenKBP's clinics and the experts both drew."""


@dataclass(frozen=True)
class ExpertScore:
    """One contour of one organ of one patient against the first expert's. Lengths in mm.

    source: of SOURCES. hd95_mm: inf where nothing was contoured. surface_dice_2, surface_dice_3:
    at tolerances of 2 and 3 mm. flags: codes of OARflow's contour and of the study, but for
    FIELD_OF_VIEW, which every CT that cuts an organ off has.
    """

    patient: str
    organ: str
    source: str
    dice: float
    hd95_mm: float
    surface_dice_2: float
    surface_dice_3: float
    volume_cc: float
    reference_cc: float
    flags: tuple[str, ...] = field(default=(), kw_only=True)


COLUMNS = tuple(one.name for one in fields(ExpertScore))


def measure(
    experts: Experts,
    models: Sequence[Path],
    cache: Path,
    *,
    config: Path | None = None,
    organs: Sequence[str] = (),
) -> tuple[ExpertScore, ...]:
    """Scores of all patients, in their order, by the whole chain from DICOM to RTSTRUCT.

    models: one folder, or the K-th of N folds that did not learn from the K-th part of the patients
    (`Split.fold`). organs: these alone. cache: what the application drew stays there.

    Raises RunError where the application left no result.
    """
    found: list[ExpertScore] = []
    for folder, patients in _groups(experts, models):
        cases = {one: published(experts.drawn_by(FIRST, one)) for one in patients}
        ran = evaluate(cases, patients, folder, cache, config=config)
        flags = {one.case: {part.organ: part.flags for part in one.organs} for one in ran}
        contours = contours_folder(folder, cache, config=config)
        contoured = {organ for model in model_files(folder) for organ in model.organs}
        wanted = contoured & set(organs) if organs else contoured
        for case in cases.values():
            scores = _patient(experts, case, contours / f"{case.id}.dcm", wanted)
            found += (_with_flags(one, flags[case.id]) for one in scores)
    order = {patient: k for k, patient in enumerate(experts.patients)}
    return tuple(sorted(found, key=lambda score: order[score.patient]))


def held_out(experts: Experts, number: int, count: int) -> tuple[str, ...]:
    """The patients that fold number of count leaves out of training."""
    apart = experts.split().fold(number, count).tune
    return tuple(one for one in experts.patients if f"{one}-{FIRST}" in apart)


def _groups(experts: Experts, models: Sequence[Path]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Models folders, each with the patients that it contours."""
    if len(models) == 1:
        yield models[0], experts.patients
        return
    for number, folder in enumerate(models, start=1):
        yield folder, held_out(experts, number, len(models))


def _patient(
    experts: Experts, case: Case, rtstruct: Path, organs: Collection[str]
) -> Iterator[ExpertScore]:
    """Scores of those of the organs that the first expert drew."""
    ours = read_masks(rtstruct, case.grid) if rtstruct.is_file() else {}
    empty = np.zeros(case.ct.shape, dtype=np.bool_)
    clinic = published(experts.clinical(case.id)).masks
    second = published(experts.drawn_by(SECOND, case.id)).masks
    for organ in case.masks:
        if organ in organs:
            sources: dict[str, Mapping[str, Mask]] = {
                OARFLOW: {organ: ours.get(organ, empty)},
                CLINIC: clinic,
                OBSERVER: second,
            }
            yield from _organ(case, organ, sources)


def _with_flags(score: ExpertScore, flags: Mapping[str, Sequence[str]]) -> ExpertScore:
    """The score with the flags of its organ, if it is one of OARflow's contours."""
    if score.source != OARFLOW:
        return score
    own = (code for code in flags.get(score.organ, ()) if code != FlagCode.FIELD_OF_VIEW)
    return replace(score, flags=tuple(own))


def _organ(
    case: Case, organ: str, sources: Mapping[str, Mapping[str, Mask]]
) -> Iterator[ExpertScore]:
    reference = case.masks[organ]
    if not reference.any():
        return
    for source, masks in sources.items():
        if organ in masks:
            mask = masks[organ]
            distances = surface_distances(mask, reference, case.spacing_zyx)
            yield ExpertScore(
                case.id,
                organ,
                source,
                dice(mask, reference),
                distances.hausdorff(95),
                distances.surface_dice(2.0),
                distances.surface_dice(3.0),
                volume_cc(mask, case.spacing_zyx),
                volume_cc(reference, case.spacing_zyx),
            )


def write_scores(path: Path, scores: Sequence[ExpertScore]) -> None:
    """One line per patient, organ and source; `inf` where nothing was contoured."""
    write_csv(path, COLUMNS, ([_cell(value) for value in astuple(one)] for one in scores))


def _cell(value: str | float | tuple[str, ...]) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(value) if isinstance(value, tuple) else value


def read_scores(path: Path) -> tuple[ExpertScore, ...]:
    """Read what `write_scores` wrote. Raises ValueError where it is something else."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{path.name} is no table of experts: its columns differ")
        return tuple(map(_score, rows))


def _score(row: Mapping[str, str]) -> ExpertScore:
    figures = (float(row[name]) for name in COLUMNS[3:-1])
    score = ExpertScore(row["patient"], row["organ"], row["source"], *figures)
    return replace(score, flags=tuple(row["flags"].split()))
