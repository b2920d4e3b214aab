"""The CT on which a structure set was drawn, in a folder with several series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from oarflow.intake import Intake, SeriesRules, StudyFiles, read_study
from oarflow.intake.choose import DEFAULT_RULES
from oarflow.intake.scan import FileClass, Scan
from oarflow.rtstruct.model import StructureSet


def read_drawn_volume(
    found: Scan, structure_sets: Iterable[StructureSet], rules: SeriesRules = DEFAULT_RULES
) -> Intake:
    """The CT among a folder's files, as `read_volume` reads it.

    If there are several series, it is the one that the structure sets name: by their contours'
    images, else by the images that they list. If they name several or none, all series stay
    candidates. structure_sets: read only if there are several series. Raises Refusal.
    """
    return read_study(StudyFiles("", _narrowed(found, structure_sets)), rules)


def _narrowed(found: Scan, structure_sets: Iterable[StructureSet]) -> Scan:
    records = found.of(FileClass.SLICE, FileClass.TRUNCATED)
    series = {r.path: r.header.series_uid for r in records if r.header}
    if len(set(series.values())) < 2:
        return found
    series_of = {r.header.sop_instance_uid: r.header.series_uid for r in records if r.header}
    drawn: Counter[str] = Counter()
    listed: Counter[str] = Counter()
    for structures in structure_sets:
        contours = (c.sop_instance_uid for roi in structures.rois for c in roi.contours)
        drawn.update(series_of[uid] for uid in contours if uid in series_of)
        listed.update(
            series_of[uid] for uid in structures.referenced_instance_uids & set(series_of)
        )
    named = drawn or listed
    if len(named) != 1:
        return found
    other = {path: FileClass.OTHER_SERIES for path, uid in series.items() if uid not in named}
    return found.relabelled(other)
