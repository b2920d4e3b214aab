"""The whole chain on a data set: case to DICOM, the application, RTSTRUCT back to masks, scores.

Every case's scores are kept; a run that was stopped goes on where it was, and a change of program,
models or settings starts afresh.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.labels import doubts
from oarflow.evaluation.application import model_files, program_digest, run_application
from oarflow.evaluation.scoring.outcomes import OrganOutcome, contoured_masks, outcomes
from oarflow.evaluation.scoring.requested import requested
from oarflow.organs import Catalogue, load_catalogue

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaseScores:
    """One case. seconds, peak_memory_mb: of the run, by result.json. refusal: its code, or None."""

    case: str
    exit_status: int
    refusal: str | None
    seconds: float
    peak_memory_mb: float
    organs: tuple[OrganOutcome, ...]

    @property
    def delivered(self) -> bool:
        """Whether an RTSTRUCT was written."""
        return self.exit_status in (0, 4)

    def as_json(self) -> str:
        plain = self.__dict__ | {"organs": [one.stored() for one in self.organs]}
        return json.dumps(plain, indent=1)

    def with_doubts(self, doubts: Mapping[str, str]) -> CaseScores:
        """With what speaks against each reference. Not in the cache: the rules may change."""
        organs = tuple(replace(one, doubt=doubts[one.organ]) for one in self.organs)
        return replace(self, organs=organs)

    @classmethod
    def read(cls, text: str) -> CaseScores:
        plain = json.loads(text)
        return cls(**plain | {"organs": tuple(OrganOutcome.read(one) for one in plain["organs"])})


def evaluate(
    cases: Mapping[str, Case],
    ids: Sequence[str],
    models: Path,
    cache: Path,
    *,
    config: Path | None = None,
    position: str = "HFS",
) -> tuple[CaseScores, ...]:
    """Score the cases of these ids, in their order; those in the cache are not run again.

    cache: folder of scores and contours (see `contours_folder`). config: settings file for the
    application. position: how the patients lie in the DICOM series.

    Raises KeyError for an unknown id, RunError where the application left no result.
    """
    catalogue = load_catalogue(models)
    folder = contours_folder(models, cache, config=config, position=position)
    folder.mkdir(parents=True, exist_ok=True)
    flags = ("-c", str(config.resolve())) if config else ()
    found = []
    for number, case_id in enumerate(ids, start=1):
        stored, contours = (folder / f"{case_id}{ending}" for ending in (".json", ".dcm"))
        case = cases[case_id]
        scores = CaseScores.read(stored.read_text(encoding="utf-8")) if stored.is_file() else None
        if scores is None or (scores.delivered and not contours.is_file()):
            scores = _run(case, models, catalogue, flags, position=position, contours=contours)
            part = stored.with_suffix(".part")
            part.write_text(scores.as_json(), encoding="utf-8")
            part.rename(stored)
        scores = scores.with_doubts(doubts(case, catalogue))
        LOGGER.info("%d/%d %s: %s", number, len(ids), case_id, _summary_line(scores))
        found.append(scores)
    return tuple(found)


def contours_folder(
    models: Path, cache: Path, *, config: Path | None = None, position: str = "HFS"
) -> Path:
    """Where `evaluate` keeps each case's contours as `<id>.dcm`: an RTSTRUCT of this program."""
    settings = hashlib.sha256(config.read_bytes()).hexdigest() if config else ""
    program = program_digest(models, {"config": settings, "position": position})
    return cache / program[:16]


def _run(
    case: Case,
    models: Path,
    catalogue: Catalogue,
    flags: Sequence[str],
    *,
    position: str,
    contours: Path,
) -> CaseScores:
    first, last = _published(case)
    shown = case.cropped(first, last)
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        folder = Path(name)
        write_ct(shown, folder / "ct", position)
        run = run_application(folder / "ct", folder / "out", models.resolve(), flags)
        # Slices that were not shown belong to the reference all the same.
        masks = (
            contoured_masks(run.rtstruct, run.result, case.grid, catalogue) if run.rtstruct else {}
        )
        if run.rtstruct:
            shutil.copyfile(run.rtstruct, contours)
    result = run.result
    organs = frozenset(organ for model in model_files(models) for organ in model.organs)
    scored = requested(case.masks, result, organs, catalogue)
    return CaseScores(
        case=case.id,
        exit_status=result.exit_status,
        refusal=result.refusal.code.value if result.refusal else None,
        seconds=result.run.seconds,
        peak_memory_mb=result.run.peak_memory_mb,
        organs=tuple(outcomes(case, result, masks, scored, catalogue)),
    )


def _published(case: Case) -> tuple[int, int]:
    """First and last slice where a CT was published."""
    if case.body is None or not case.body.any():
        return 0, len(case.ct) - 1
    planes = np.flatnonzero(case.body.any(axis=(1, 2)))
    return int(planes[0]), int(planes[-1])


def _summary_line(scores: CaseScores) -> str:
    if scores.refusal:
        return f"refused, {scores.refusal}"
    parts = (f"{one.organ} {one.score.dsc:.3f}" for one in scores.organs)
    return f"{scores.seconds:.1f} s, " + ", ".join(parts)
