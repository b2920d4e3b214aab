"""Refusals, wrong configurations, faults, and the exit statuses of a run.

The table in oarflow.reason_codes explains each code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class ExitStatus(IntEnum):
    """Exit statuses of the application."""

    WRITTEN = 0
    FAULT = 1
    USAGE = 2
    REFUSED = 3
    HELD = 4
    INTERRUPTED = 130
    TERMINATED = 143


RUN_STATUSES = {
    ExitStatus.WRITTEN: "the RTSTRUCT was written and passed its self-check",
    ExitStatus.FAULT: "the program or its self-check failed; result.json has the error",
    ExitStatus.USAGE: "wrong usage or configuration; nothing is written",
    ExitStatus.REFUSED: "the input is refused; result.json has the reason",
    ExitStatus.HELD: "with strict only: written, but doubtful (flag, failure or high memory)",
    ExitStatus.INTERRUPTED: "interrupted; OUT is unchanged",
    ExitStatus.TERMINATED: "terminated, or run_seconds passed; OUT is unchanged",
}
"""The meaning of each exit status of a run."""


def exit_statuses() -> str:
    """A run's exit statuses for a help text, one per line."""
    lines = (f"  {status.value:>3}  {text}" for status, text in RUN_STATUSES.items())
    return "exit status:\n" + "\n".join(lines)


class Code(StrEnum):
    """Reason codes, most fundamental first. Of several findings, the first here is the refusal."""

    NO_FILES = "NO_FILES"
    ARCHIVE_UNREADABLE = "ARCHIVE_UNREADABLE"
    ARCHIVE_UNSAFE = "ARCHIVE_UNSAFE"
    NO_DICOM = "NO_DICOM"
    NOT_CT = "NOT_CT"
    ONLY_LOCALIZER = "ONLY_LOCALIZER"
    TOO_LARGE = "TOO_LARGE"
    UNREADABLE_FILE = "UNREADABLE_FILE"
    UNREADABLE_PIXELS = "UNREADABLE_PIXELS"
    AMBIGUOUS_PIXELS = "AMBIGUOUS_PIXELS"
    UNSUPPORTED_TRANSFER_SYNTAX = "UNSUPPORTED_TRANSFER_SYNTAX"
    NO_MATCHING_SERIES = "NO_MATCHING_SERIES"
    AMBIGUOUS_SERIES = "AMBIGUOUS_SERIES"
    MIXED_PATIENTS = "MIXED_PATIENTS"
    MIXED_STUDIES = "MIXED_STUDIES"
    MIXED_ORIENTATION = "MIXED_ORIENTATION"
    MIXED_MATRIX = "MIXED_MATRIX"
    MIXED_SPACING = "MIXED_SPACING"
    MIXED_FRAME_OF_REFERENCE = "MIXED_FRAME_OF_REFERENCE"
    MISSING_POSITION = "MISSING_POSITION"
    MISSING_ORIENTATION = "MISSING_ORIENTATION"
    MISSING_SPACING = "MISSING_SPACING"
    MISSING_RESCALE = "MISSING_RESCALE"
    MISSING_FRAME_OF_REFERENCE = "MISSING_FRAME_OF_REFERENCE"
    DUPLICATE_CONFLICT = "DUPLICATE_CONFLICT"
    MISSING_SLICE = "MISSING_SLICE"
    DISPLACED_SLICE = "DISPLACED_SLICE"
    GANTRY_TILT = "GANTRY_TILT"
    OBLIQUE = "OBLIQUE"
    ENHANCED_CT = "ENHANCED_CT"
    POSITION_CONTRADICTS_ORIENTATION = "POSITION_CONTRADICTS_ORIENTATION"
    LOSSY_COMPRESSION = "LOSSY_COMPRESSION"
    INVALID_IDENTITY = "INVALID_IDENTITY"
    TOO_FEW_SLICES = "TOO_FEW_SLICES"
    WRONG_ANATOMY = "WRONG_ANATOMY"
    POSITION_CONTRADICTS_ANATOMY = "POSITION_CONTRADICTS_ANATOMY"
    IMPLAUSIBLE_HU = "IMPLAUSIBLE_HU"
    DISCONTINUOUS_SLICES = "DISCONTINUOUS_SLICES"
    NOTHING_SEGMENTED = "NOTHING_SEGMENTED"


@dataclass(frozen=True)
class Finding:
    """One reason against an input. detail: counts and limits in words, never patient data."""

    code: Code
    detail: str


class Refusal(Exception):
    """The input will not be processed. The first finding (in table order) is the refusal.

    account: the input's files by class, as plain values for result.json; None before they are
    known.
    """

    account: dict[str, object] | None = None

    def __init__(self, *findings: Finding) -> None:
        order = list(Code)
        self.findings = tuple(sorted(findings, key=lambda finding: order.index(finding.code)))
        super().__init__(f"{self.code}: {self.detail}")

    @property
    def code(self) -> Code:
        return self.findings[0].code

    @property
    def detail(self) -> str:
        return self.findings[0].detail

    @property
    def also(self) -> tuple[Finding, ...]:
        return self.findings[1:]


class ConfigurationError(Exception):
    """Settings, models or folders are wrong: exit status 2.

    code: a key of oarflow.reason_codes, such as MODEL_HASH; offline tools have codes of their own.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Fault(Exception):
    """The program failed, such as in its self-check: exit status 1, no contours are delivered."""
