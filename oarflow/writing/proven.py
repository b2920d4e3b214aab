"""Segmentations to checked files: contours, RTSTRUCT, self-check, SEG."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from oarflow.derived.deriving import parent_missing
from oarflow.errors import Code, Fault, Finding, Refusal
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.rtstruct.check import check_file
from oarflow.rtstruct.contours import DEFAULT_OPTIONS, ContourOptions, structure_set
from oarflow.rtstruct.model import StructureSet
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.specs import RoiSpec
from oarflow.rtstruct.writer import write_rtstruct
from oarflow.structures import OutputKind, Segmentation, Status
from oarflow.volume import Volume

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class OutputFile:
    """A written file, not yet under its final name.

    name: the final one. sop_instance_uid: None where the file is no DICOM object.
    """

    path: Path
    name: str
    kind: OutputKind
    sop_instance_uid: str | None
    sha256: str


@dataclass(frozen=True)
class WritePlan:
    """The settings for writing files.

    folder: for unfinished files, whose names do not end in .dcm. specs: by organ, in the order of
    the ROIs. when: the run's time.
    """

    folder: Path
    specs: Mapping[str, RoiSpec]
    provenance: Provenance
    when: datetime
    options: ContourOptions = DEFAULT_OPTIONS
    label: str = "OARflow"
    seg: bool = False


@dataclass(frozen=True, eq=False)
class Written:
    """The checked files, and the segmentations after the check.

    notes: further remarks by organ. structures: as in the RTSTRUCT.
    """

    segmentations: tuple[Segmentation, ...]
    files: tuple[OutputFile, ...]
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    structures: StructureSet | None = None


def write_proved(
    volume: Volume,
    ct: Mapping[str, Path],
    segmentations: Sequence[Segmentation],
    plan: WritePlan,
    update: Callable[[Segmentation], None] | None = None,
    *,
    study_flags: Sequence[Flag] = (),
) -> Written:
    """Write the RTSTRUCT, compare it with the raw CT, drop organs that do not match, repeat.

    ct: the files of the volume's slices by SOP Instance UID. update: called with every dropped
    organ, so that its reason is known even if no file is delivered. study_flags: flags of the whole
    study for the RTSTRUCT.

    Raises Refusal NOTHING_SEGMENTED where no organ can be written, Fault where organs failed by
    error and none is left, or where the file as a whole is wrong.
    """
    path = plan.folder / "rtstruct.part"
    current = tuple(segmentations)
    notes: dict[str, tuple[str, ...]] = {}
    hu = volume.hu
    while True:
        require_written(current)
        structures, report = structure_set(
            volume.source,
            volume.grid,
            current,
            plan.specs,
            options=plan.options,
            label=plan.label,
            study_flags=study_flags,
        )
        notes |= {entry.organ: entry.notes for entry in report.organs}
        lost = {
            entry.organ: Flag.of(FlagCode.NO_OUTLINE, reason=entry.refused or "it has no contour")
            for entry in report.organs
            if not entry.contours
        }
        if lost:
            current = _without(current, lost, update)
            continue
        contoured = {e.organ: e.field for e in report.organs if e.field is not None}
        current = tuple(
            s.with_field(contoured[s.organ], volume.grid) if s.organ in contoured else s
            for s in current
        )
        uid = write_rtstruct(
            path,
            structures,
            volume.source,
            volume.grid,
            provenance=plan.provenance,
            when=plan.when,
            decimals=plan.options.decimals,
        )
        expected = {
            plan.specs[s.organ].name: s.field for s in current if s.status.written and s.field
        }
        check = check_file(path, ct, expected, volume.grid, volume.source, hu=hu)
        if check.passed:
            break
        organ_of = {spec.name: organ for organ, spec in plan.specs.items()}
        wrong = {
            organ_of[c.name]: Flag.of(FlagCode.SELF_CHECK_FAILED, failures=c.failures)
            for c in check.organs
            if not c.passed
        }
        current = _without(current, wrong, update)
    files = [output_file(path, "rtstruct.dcm", "RTSTRUCT", uid)]
    if plan.seg:
        files.append(_seg(volume, current, plan))
    return Written(current, tuple(files), notes, structures)


def require_written(segmentations: Iterable[Segmentation]) -> None:
    """Raise if no organ can be written: Fault if any failed, else Refusal."""
    found = tuple(segmentations)
    if any(s.status.written for s in found):
        return
    failed = sum(s.status is Status.FAILED for s in found)
    if failed:
        raise Fault(f"no organ could be contoured: {failed} of {len(found)} failed")
    counts = ", ".join(
        f"{n} {status.value}" for status in Status if (n := sum(s.status is status for s in found))
    )
    raise Refusal(Finding(Code.NOTHING_SEGMENTED, counts or "no organ was asked for"))


def _without(
    segmentations: Iterable[Segmentation],
    lost: Mapping[str, Flag],
    update: Callable[[Segmentation], None] | None,
) -> tuple[Segmentation, ...]:
    """The segmentations with some organs failed, and without the structures made from them."""
    for organ, flag in lost.items():
        LOGGER.warning("%s is not written: %s", organ, flag.message)
    gone: dict[str, Segmentation] = {}
    result = []
    for kept in segmentations:  # parents come before children
        missing = tuple(parent_missing(name, gone[name]) for name in kept.parents if name in gone)
        if kept.organ in lost:
            flags = (*kept.flags, lost[kept.organ])
            gone[kept.organ] = replace(kept, status=Status.FAILED, field=None, flags=flags)
        elif missing and kept.status.written:
            gone[kept.organ] = replace(kept, status=Status.NOT_DERIVED, field=None, flags=missing)
        result.append(gone.get(kept.organ, kept))
        if update and kept.organ in gone:
            update(gone[kept.organ])
    return tuple(result)


def _seg(volume: Volume, segmentations: Sequence[Segmentation], plan: WritePlan) -> OutputFile:
    from oarflow.writing.seg import write_seg

    path = plan.folder / "seg.part"
    uid = write_seg(
        path,
        segmentations,
        volume.source,
        volume.grid,
        plan.specs,
        provenance=plan.provenance,
        when=plan.when,
    )
    return output_file(path, "seg.dcm", "SEG", uid)


def output_file(path: Path, name: str, kind: OutputKind, uid: str | None) -> OutputFile:
    """A file that was written, with its digest."""
    return OutputFile(path, name, kind, uid, hashlib.sha256(path.read_bytes()).hexdigest())
