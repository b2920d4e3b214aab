"""Two folders of contours, one folder a case, scored organ by organ."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from oarflow.compare.scores import TOLERANCE_MM, Score, score
from oarflow.datasets.reading import each
from oarflow.errors import Refusal
from oarflow.evaluation.comparison.contours import (
    CaseContours,
    NoContoursError,
    common_grid,
    read_contours,
)
from oarflow.geometry import Grid
from oarflow.intake import read_volume
from oarflow.organs import Catalogue
from oarflow.rtstruct.errors import ReadError

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaseComparison:
    """One case. extra: organs that only the prediction has. unused: names of no use, both sides.

    missing: why there is no prediction at all, or "". failed: why it could not be compared, or "".
    remarks: on contours of both sides that lie off the slices of their CT.
    """

    case: str
    scores: tuple[Score, ...] = ()
    extra: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    missing: str = ""
    failed: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """All cases. left_out: organs of the reference that no prediction has, with their contours.

    unasked: cases that only the prediction has.
    """

    cases: tuple[CaseComparison, ...]
    tolerance_mm: float
    left_out: Mapping[str, int] = field(default_factory=dict)
    unasked: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """Cases that could not be compared."""
        return tuple(case.case for case in self.cases if case.failed)

    @property
    def scores(self) -> tuple[Score, ...]:
        """Of all cases."""
        return tuple(one for case in self.cases for one in case.scores)


@dataclass(frozen=True)
class Options:
    """cts: a folder of CTs, one folder a case, for RTSTRUCT that have none beside them.

    every_organ: score organs that no prediction has as empty. workers: cases at a time.
    """

    tolerance_mm: float = TOLERANCE_MM
    cts: Path | None = None
    every_organ: bool = False
    workers: int = 1


def compare(
    reference: Path, prediction: Path, catalogue: Catalogue, options: Options = Options()
) -> Comparison:
    """Score every case of the reference that can be read.

    Folders are matched by name. A case without prediction, or with one that holds no contour,
    counts as empty; a case that cannot be read is listed with the reason. Raises ValueError where
    the reference has no case, or the two folders share none.
    """
    cases = {path.name: path for path in sorted(reference.iterdir()) if path.is_dir()}
    if not cases:
        raise ValueError(f"{reference} holds no folder: one a case is needed")
    if not any((prediction / name).is_dir() for name in cases):
        raise ValueError(f"no folder of {prediction} is named as one of {reference}")

    def look(name: str) -> CaseComparison:
        try:
            return _case(name, cases[name], prediction / name, catalogue, options)
        except (OSError, ValueError, Refusal, ReadError) as error:
            return CaseComparison(name, failed=str(error))

    found = []
    for number, (name, one) in enumerate(
        each(tuple(cases), look, workers=options.workers), start=1
    ):
        LOGGER.info("%d/%d %s: %s", number, len(cases), name, one.failed or _summary_line(one))
        found.append(one)
    others = sorted(path.name for path in prediction.iterdir() if path.is_dir())
    unasked = tuple(name for name in others if name not in cases)
    return replace(_comparison(found, options), unasked=unasked)


def both_sides(
    reference: Path, prediction: Path, catalogue: Catalogue, frame: str | None = None
) -> tuple[CaseContours, CaseContours | None, str]:
    """The contours of a case's two folders; for the prediction, None and why there are none.

    frame: UID of the frame of reference of a CT that lies elsewhere. Without any, a side that has
    its CT decides for the other. Raises as `read_contours` does where there is something that
    cannot be read.
    """
    wanted = read_contours(reference, catalogue, frame)
    drawn, missing = drawn_contours(prediction, catalogue, frame or wanted.frame)
    if drawn and drawn.frame not in (None, wanted.frame) and wanted.grid is None and not frame:
        wanted = read_contours(reference, catalogue, drawn.frame)
    return wanted, drawn, missing


def drawn_contours(
    folder: Path, catalogue: Catalogue, frame: str | None = None
) -> tuple[CaseContours | None, str]:
    """The contours of a prediction's folder, or None and why there are none.

    Raises as `read_contours` does where there is something that cannot be read.
    """
    if not folder.is_dir():
        return None, "there is no folder"
    try:
        return read_contours(folder, catalogue, frame), ""
    except NoContoursError as error:
        return None, str(error)


def _case(
    name: str, reference: Path, prediction: Path, catalogue: Catalogue, options: Options
) -> CaseComparison:
    ct = read_volume(options.cts / name).volume if options.cts else None
    frame = ct.source.frame_of_reference_uid if ct else None
    wanted, drawn, missing = both_sides(reference, prediction, catalogue, frame)
    grid = common_grid([one for one in (wanted, drawn) if one is not None], ct.grid if ct else None)
    scores = []
    remarks = [*remarks_on(grid, catalogue, wanted, drawn)]
    for organ in _in_order(wanted.organs, catalogue):
        truth = wanted.draw(organ, grid)
        if not truth.any():
            remarks.append(f"reference, {organ}: it holds no voxel, and is not scored")
            continue
        has = drawn is not None and organ in drawn.organs
        mask = drawn.draw(organ, grid) if drawn and has else np.zeros_like(truth)
        scores.append(
            score(name, organ, mask, truth, grid.spacing_zyx, tolerance_mm=options.tolerance_mm)
        )
    return CaseComparison(
        name,
        tuple(scores),
        extra=_extra(wanted, drawn, catalogue),
        unused=(*wanted.unused, *(drawn.unused if drawn else ())),
        missing=missing,
        remarks=tuple(remarks),
    )


def remarks_on(
    grid: Grid, catalogue: Catalogue, wanted: CaseContours, drawn: CaseContours | None
) -> tuple[str, ...]:
    """Remarks on both sides' contours, on the grid on which they are compared."""
    found = []
    for side, contours in (("reference", wanted), ("prediction", drawn)):
        if contours is None:
            continue
        remarks = contours.remarks(grid)
        found += [f"{side}, {o}: {remarks[o]}" for o in _in_order(tuple(remarks), catalogue)]
        found += [f"{side}, {words}" for words in _doubtful(contours.organs, catalogue)]
    return tuple(found)


def _doubtful(names: tuple[str, ...], catalogue: Catalogue) -> Iterator[str]:
    for name in names:
        near = catalogue.nearest(name) if name not in catalogue else None
        if near is not None:
            yield f"{name}: a doubtful name, not taken for {near.name}; rename the region if it is"


def _comparison(cases: list[CaseComparison], options: Options) -> Comparison:
    """With organs that were never drawn left out, unless they are asked for."""
    every = [one for case in cases for one in case.scores]
    drawn = {one.organ for one in every if not one.empty}
    if options.every_organ or not drawn:
        return Comparison(tuple(cases), options.tolerance_mm)
    kept = [
        replace(case, scores=tuple(one for one in case.scores if one.organ in drawn))
        for case in cases
    ]
    left_out = Counter(one.organ for one in every if one.organ not in drawn)
    return Comparison(tuple(kept), options.tolerance_mm, dict(left_out))


def _extra(
    wanted: CaseContours, drawn: CaseContours | None, catalogue: Catalogue
) -> tuple[str, ...]:
    organs = () if drawn is None else drawn.organs
    return tuple(_in_order(tuple(o for o in organs if o not in wanted.organs), catalogue))


def _in_order(organs: tuple[str, ...], catalogue: Catalogue) -> list[str]:
    known = [organ for organ in catalogue.names if organ in organs]
    return [*known, *sorted(organ for organ in organs if organ not in catalogue)]


def _summary_line(case: CaseComparison) -> str:
    if case.missing:
        return f"no prediction, {case.missing}"
    return f"{len(case.scores)} organs, {sum(one.empty for one in case.scores)} not contoured"
