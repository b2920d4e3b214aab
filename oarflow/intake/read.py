"""Reads a folder as a Volume: scan, choose, gate, decode."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oarflow.errors import Code, Finding, Refusal
from oarflow.intake.assemble import Progress, Slice, assemble, without_duplicates
from oarflow.intake.choose import DEFAULT_RULES, SeriesRules, choose
from oarflow.intake.continuity import judge_continuity
from oarflow.intake.decode import supported
from oarflow.intake.gate import judge, lossy
from oarflow.intake.headers import InstanceHeader, common_texts, steps_mm
from oarflow.intake.identity import another_person, is_uid, mixed_persons
from oarflow.intake.limits import GAP_FACTOR
from oarflow.intake.plausible import judge_hu
from oarflow.intake.scan import (
    CT_OBJECTS,
    FileAccount,
    FileClass,
    FileRecord,
    Scan,
    refusal,
    scan,
)
from oarflow.volume import Volume

_UNOPENED: dict[FileClass, str] = {
    FileClass.EMPTY: "empty",
    FileClass.NOT_DICOM: "not DICOM",
    FileClass.ARCHIVE: "an archive (not unpacked)",
    FileClass.LINK: "a link to a folder or a broken link (not followed)",
    FileClass.SPECIAL: "not a regular file",
    FileClass.HIDDEN: "hidden",
    FileClass.DICOMDIR: "a DICOMDIR",
}
"""Descriptions of files without a DICOM object."""

_OF_SERIES = (FileClass.SLICE, FileClass.TRUNCATED, FileClass.FLOAT_PIXELS)
"""Classes of slices, with or without readable pixels."""


@dataclass(frozen=True, eq=False)
class Intake:
    """The CT that was read, all files by class, and remarks without patient data.

    paths: the files of the volume's slices, by SOP Instance UID. files: all files of the input.
    texts: of the CT's header, as the rules of templates read them; they may hold patient data.
    """

    volume: Volume
    account: FileAccount
    notes: tuple[str, ...] = ()
    paths: Mapping[str, Path] = field(default_factory=dict)
    files: Scan = field(default_factory=lambda: Scan(()))
    texts: Mapping[str, str | None] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, eq=False)
class StudyFiles:
    """The files of one study in a folder, and those without a study. uid may be empty.

    findings: against the study because of the folder's other studies.
    """

    uid: str
    files: Scan
    findings: tuple[Finding, ...] = ()

    @property
    def digest(self) -> str:
        """A name for the study without patient data: 16 hexadecimal digits."""
        return hashlib.sha256(self.uid.encode()).hexdigest()[:16]


def read_volume(
    folder: Path | Sequence[Path],
    rules: SeriesRules = DEFAULT_RULES,
    progress: Progress | None = None,
) -> Intake:
    """Read the planning CT of a folder, or of several folders that together are one input.

    progress: called with the number of slices read and of all slices. Raises Refusal with all
    reasons and with the count of files.
    """
    return _read(scan(folder), rules, progress)


def read_texts(
    folder: Path | Sequence[Path], rules: SeriesRules = DEFAULT_RULES
) -> dict[str, str | None]:
    """The texts of the planning CT's header that `Intake` has, without reading its pixels.

    Raises Refusal where no series can be chosen.
    """
    found = scan(folder)
    series = found.of(*_OF_SERIES)
    if not series:
        raise refusal(found, _no_slices(found))
    choice = choose(series, rules)
    if choice.findings:
        raise refusal(found, *choice.findings)
    return common_texts(_headers(choice.series))


def studies(folder: Path | Sequence[Path]) -> tuple[StudyFiles, ...]:
    """Group the files of one or several folders by study; files without a study are in each.

    Studies without any CT object are left out. Raises Refusal (NO_FILES, TOO_LARGE).
    """
    found = scan(folder)
    uids = sorted({r.header.study_uid for r in found.of(*CT_OBJECTS) if r.header})
    if not uids:
        return (StudyFiles("", found),)
    headers = _headers(found.of(*CT_OBJECTS))
    return tuple(StudyFiles(uid, _only(found, uid), _shared(headers, uid)) for uid in uids)


def _shared(headers: Sequence[InstanceHeader], uid: str) -> tuple[Finding, ...]:
    """Findings against a study that shares a series or an object with another study."""
    own = [header for header in headers if header.study_uid == uid]
    series = {header.series_uid for header in own}
    objects = {header.sop_instance_uid for header in own}
    elsewhere = [
        header
        for header in headers
        if header.study_uid != uid
        and (header.series_uid in series or header.sop_instance_uid in objects)
    ]
    if not elsewhere:
        return ()
    count = len({header.study_uid for header in elsewhere}) + 1
    split = Finding(Code.MIXED_STUDIES, f"one series or object belongs to {count} studies")
    return (*mixed_persons([*own, *elsewhere]), split)


def _only(found: Scan, uid: str) -> Scan:
    other = {
        record.path: FileClass.OTHER_STUDY
        for record in found.records
        if record.header and record.header.study_uid != uid
    }
    return found.relabelled(other)


def read_study(
    study: StudyFiles, rules: SeriesRules = DEFAULT_RULES, progress: Progress | None = None
) -> Intake:
    """Read the planning CT of one study of a folder. Raises Refusal as `read_volume` does."""
    return _read(study.files, rules, progress, study.findings)


def _read(
    found: Scan,
    rules: SeriesRules,
    progress: Progress | None,
    known: Sequence[Finding] = (),
) -> Intake:
    """known: earlier findings."""
    series = found.of(*_OF_SERIES)
    damage = [*known, *_damage(found)]
    if not series:
        without = _no_slices(found)
        against = damage if without.code == Code.NO_DICOM and damage else [*damage, without]
        raise refusal(found, *against)
    choice = choose(series, rules)
    findings = [*damage, *_other_objects(found), *choice.findings]
    chosen = choice.series
    if chosen:
        uid = _headers(chosen)[0].series_uid
        other = [r for r in found.of(FileClass.SLICE) if r.header and r.header.series_uid != uid]
        found = found.relabelled({record.path: FileClass.OTHER_SERIES for record in other})
        findings += [*_pixels(chosen), *judge(_headers(chosen), rules)]
    if findings:
        raise refusal(found, *dict.fromkeys(findings))
    return _decoded(found, chosen, choice.notes, progress)


def _decoded(
    found: Scan, chosen: Sequence[FileRecord], notes: Sequence[str], progress: Progress | None
) -> Intake:
    slices = [Slice(record.path, record.header) for record in chosen if record.header]
    try:
        kept, dropped = without_duplicates(slices)
        found = found.relabelled({item.path: FileClass.DUPLICATE for item in dropped})
        volume, identity_notes = assemble(kept, progress)
        broken, doubts = judge_continuity(volume.hu, volume.grid.offsets_mm)
        findings = (*judge_hu(volume.hu), *broken)
        if findings:
            raise Refusal(*findings)
    except Refusal as error:
        error.account = found.account.as_json()
        raise
    headers = [item.header for item in kept]
    remarks = (
        *notes,
        *identity_notes,
        *_remarks(headers),
        *doubts,
        *_remarks_on_other_files(found, headers),
    )
    paths = {item.header.sop_instance_uid: item.path for item in kept}
    return Intake(volume, found.account, remarks, paths, found, common_texts(headers))


def _headers(records: Sequence[FileRecord]) -> list[InstanceHeader]:
    return [record.header for record in records if record.header]


def _no_slices(found: Scan) -> Finding:
    """The reason why no file is a slice of a CT."""
    if found.of(FileClass.ENHANCED_CT):
        count = len(found.of(FileClass.ENHANCED_CT))
        return Finding(Code.ENHANCED_CT, f"{count} multi-frame objects")
    if found.of(*CT_OBJECTS - {FileClass.OTHER_CT}):
        listed = ", ".join(f"{n} {kind}" for kind, n in found.account.counts if kind in CT_OBJECTS)
        return Finding(Code.ONLY_LOCALIZER, listed)
    if found.of(FileClass.OTHER_OBJECT, FileClass.OTHER_CT):
        listed = ", ".join(f"{count} {_sop_class(name)}" for name, count in found.account.objects)
        return Finding(Code.NOT_CT, listed)
    return Finding(
        Code.NO_DICOM, f"files looked at: {found.account.total}; {_unopened(found, _UNOPENED)}"
    )


def _sop_class(name: str) -> str:
    """A SOP class by its name, or by its UID if it is private."""
    return f"of the private SOP class {name}" if is_uid(name) else name


def _unopened(found: Scan, kinds: Iterable[FileClass]) -> str:
    counts = {kind: found.account.count(kind) for kind in kinds}
    return "; ".join(f"{n} {_UNOPENED[kind]}" for kind, n in counts.items() if n)


def _damage(found: Scan) -> list[Finding]:
    """Findings for unreadable files, which may be slices of the series."""
    findings = []
    private = found.of(FileClass.PRIVATE_SYNTAX)
    if private:
        names = ", ".join(sorted({r.syntax for r in private if is_uid(r.syntax)}))
        findings.append(
            Finding(Code.UNSUPPORTED_TRANSFER_SYNTAX, f"{len(private)} objects: {names}")
        )
    broken = found.of(FileClass.UNREADABLE)
    if broken:
        findings.append(
            Finding(Code.UNREADABLE_FILE, f"{len(broken)} files are damaged or cannot be opened")
        )
    return findings


def _other_objects(found: Scan) -> list[Finding]:
    """Findings against the folder's other CT objects."""
    headers = _headers(found.of(*CT_OBJECTS))
    findings = list(mixed_persons(headers))
    slices = _headers(found.of(*_OF_SERIES))
    count = len({header.study_uid for header in slices})
    if count > 1:
        findings.append(Finding(Code.MIXED_STUDIES, f"CT slices of {count} studies"))
    return findings


def _pixels(chosen: Sequence[FileRecord]) -> list[Finding]:
    findings = []
    cut = sum(record.file_class == FileClass.TRUNCATED for record in chosen)
    if cut:
        findings.append(
            Finding(Code.UNREADABLE_PIXELS, f"pixel data of {cut} slices are missing or cut short")
        )
    floats = sum(record.file_class == FileClass.FLOAT_PIXELS for record in chosen)
    if floats:
        findings.append(
            Finding(
                Code.UNREADABLE_PIXELS,
                f"{floats} slices have Float Pixel Data, which a CT image must not have",
            )
        )
    syntaxes = {header.transfer_syntax_uid for header in _headers(chosen)}
    unknown = sorted(uid for uid in syntaxes if not supported(uid))
    if unknown:
        findings.append(Finding(Code.UNSUPPORTED_TRANSFER_SYNTAX, ", ".join(unknown)))
    return findings


def _remarks_on_other_files(found: Scan, headers: Sequence[InstanceHeader]) -> list[str]:
    """Remarks on files beside the series."""
    remarks = []
    kinds = (FileClass.EMPTY, FileClass.NOT_DICOM, FileClass.ARCHIVE, FileClass.LINK)
    unopened = _unopened(found, kinds)
    if unopened:
        remarks.append(f"other files were ignored: {unopened}")
    others = Counter(
        header.modality or "unknown"
        for header in _headers(found.of(FileClass.OTHER_OBJECT))
        if another_person(headers[0], header)
    )
    if others:
        listed = ", ".join(f"{n} {_modality(name)}" for name, n in sorted(others.items()))
        remarks.append(f"other objects in the folder name another patient: {listed}")
    return remarks


def _modality(written: str) -> str:
    """A modality of two to eight capitals or digits; any other text is replaced."""
    return written if re.fullmatch(r"[A-Z][A-Z0-9]{1,7}", written) else "unknown"


def _remarks(headers: Sequence[InstanceHeader]) -> list[str]:
    remarks = []
    lossy_count = sum(lossy(header) for header in headers)
    if lossy_count:
        remarks.append(f"{lossy_count} slices were, or may have been, compressed with loss")
    thickness = [h.slice_thickness_mm for h in headers if h.slice_thickness_mm]
    steps = steps_mm(headers)
    if thickness and steps.size and steps.max() > GAP_FACTOR * max(thickness):
        remarks.append(f"slices {max(thickness):g} mm thick are up to {steps.max():.2f} mm apart")
    promised = {header.images_in_acquisition for header in headers}
    if len(promised) == 1 and (count := promised.pop()) is not None and count > len(headers):
        remarks.append(f"Images in Acquisition is {count}, but there are {len(headers)} slices")
    if not any(header.patient_position for header in headers):
        remarks.append("Patient Position is missing")
    return remarks
