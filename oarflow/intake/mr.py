"""Chooses the MR of the CT's patient among a folder's other objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydicom.uid import MRImageStorage

from oarflow.errors import Code, Refusal
from oarflow.intake.assemble import Slice, assemble, without_duplicates
from oarflow.intake.choose import DEFAULT_RULES, SeriesRule, SeriesRules, preferred
from oarflow.intake.decode import supported
from oarflow.intake.gate import judge
from oarflow.intake.headers import InstanceHeader
from oarflow.intake.identity import mixed_persons
from oarflow.intake.read import Intake
from oarflow.intake.scan import FileClass, FileRecord
from oarflow.volume import Volume

_TOLERATED = frozenset(
    {
        Code.MISSING_RESCALE,
        Code.OBLIQUE,
        Code.MISSING_FRAME_OF_REFERENCE,
        Code.POSITION_CONTRADICTS_ORIENTATION,
        Code.LOSSY_COMPRESSION,
        Code.TOO_FEW_SLICES,
        Code.IMPLAUSIBLE_HU,
    }
)
"""Findings that refuse a CT but not an MR, because no contour is measured on the MR, and its rule
has its own number of slices."""


@dataclass(frozen=True, eq=False)
class MrChoice:
    """The chosen MR of a folder.

    volume: its unscaled values instead of HU; None where no MR can be used. trouble: the reason, in
    words without patient data; empty where the folder holds no MR.
    """

    volume: Volume | None = None
    trouble: str = ""


def mr_rule(settings: Mapping[str, object]) -> SeriesRule:
    """The rule under `mr` in app.yaml: description, image_type, min_slices, max_slices, prefer.

    Raises ConfigurationError.
    """
    rules = SeriesRules.from_settings({"select": [{**settings, "modality": "MR"}]})
    return rules.select[0]


def read_mr(intake: Intake, rule: SeriesRule) -> tuple[MrChoice, Intake]:
    """The MR that the rule chooses, and the intake with the MR's files counted.

    The MR must show the CT's patient; its study and Frame of Reference may differ.
    """
    every = _series(intake)
    fitting = preferred([one for one in every if rule.fits(one)], rule.prefer) if every else []
    if not fitting:
        trouble = f"none of {len(every)} MR series matches the MR selection rule" if every else ""
        return MrChoice(trouble=trouble), intake
    if len(fitting) > 1:
        return MrChoice(
            trouble=f"{len(fitting)} series match the MR selection rule, so none could be chosen"
        ), intake
    chosen = fitting[0]
    trouble = _another_person(intake, chosen) or _unusable(chosen)
    if trouble:
        return MrChoice(trouble=trouble), intake
    files = intake.files.relabelled({record.path: FileClass.MR for record in chosen})
    known = replace(intake, files=files, account=files.account)
    try:
        slices = [Slice(record.path, record.header) for record in chosen if record.header]
        kept, _ = without_duplicates(slices)
        volume, _ = assemble(kept)
    except Refusal as refusal:
        return MrChoice(trouble=f"the MR cannot be read ({refusal.code})"), intake
    return MrChoice(volume), known


def _series(intake: Intake) -> list[list[FileRecord]]:
    grouped: dict[str, list[FileRecord]] = defaultdict(list)
    for record in intake.files.of(FileClass.OTHER_OBJECT, FileClass.OTHER_STUDY):
        header = record.header
        if header and header.sop_class_uid == MRImageStorage and header.modality == "MR":
            grouped[header.series_uid].append(record)
    return [grouped[uid] for uid in sorted(grouped)]


def _another_person(intake: Intake, chosen: Sequence[FileRecord]) -> str:
    ct = _headers(intake.files.of(FileClass.SLICE))
    if not all(header.identity.get("PatientID", b"").strip(b" \0") for header in ct):
        return "the CT has no Patient ID to compare with the MR's"
    found = mixed_persons([*ct, *_headers(chosen)])
    return f"the MR is of another patient: {found[0].detail}" if found else ""


def _unusable(chosen: Sequence[FileRecord]) -> str:
    headers = _headers(chosen)
    findings = [f for f in judge(headers, DEFAULT_RULES) if f.code not in _TOLERATED]
    if findings:
        return f"the MR series is not valid ({findings[0].code})"
    if any(header.photometric not in ("MONOCHROME2", "") for header in headers):
        return "the MR is not MONOCHROME2"
    if not all(supported(header.transfer_syntax_uid) for header in headers):
        return "the MR's transfer syntax is not supported"
    return ""


def _headers(records: Sequence[FileRecord]) -> list[InstanceHeader]:
    return [record.header for record in records if record.header]
