"""Why an input is refused, and with which exit status a run ends: the single table of both."""

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
    ExitStatus.FAULT: "a fault of the program; nothing but result.json is written",
    ExitStatus.USAGE: "usage or configuration; nothing is written",
    ExitStatus.REFUSED: "the input is refused; result.json has the reason",
    ExitStatus.HELD: "strict: written, but an organ is failed or suspicious",
    ExitStatus.INTERRUPTED: "interrupted; OUT is left as it was",
    ExitStatus.TERMINATED: "terminated, or run_seconds passed; OUT is left as it was",
}
"""What each exit status says of a run."""


def exit_statuses() -> str:
    """A run's exit statuses for a help text, one a line."""
    lines = (f"  {status.value:>3}  {text}" for status, text in RUN_STATUSES.items())
    return "exit status:\n" + "\n".join(lines)


class Code(StrEnum):
    """Reason codes, most fundamental first: of several, the first here is the refusal."""

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
class Reason:
    """One row of the table: what a code means, and what the reader can do about it."""

    meaning: str
    remedy: str


REASONS: dict[Code, Reason] = {
    Code.NO_FILES: Reason(
        "The input folder holds no files.",
        "Check the path, and that the transfer into the folder has ended.",
    ),
    Code.ARCHIVE_UNREADABLE: Reason(
        "The zip archive is damaged, encrypted, or packed by a method that is not supported.",
        "Pack the CT again as a plain zip without a password, or give the unpacked folder.",
    ),
    Code.ARCHIVE_UNSAFE: Reason(
        "The zip archive holds what no export of a CT needs: other archives, links, paths that "
        "lead outside, or more than the limits allow.",
        "Find out where it comes from. Unpack it with care, and give the folder with the CT.",
    ),
    Code.NO_DICOM: Reason(
        "None of the files is DICOM that can be read.",
        "Export the planning CT as DICOM Part 10 files.",
    ),
    Code.NOT_CT: Reason(
        "There are DICOM objects, but no CT image among them.",
        "Send the planning CT itself, as CT Image Storage: not its contours, plan, dose, another "
        "modality or a private object of its scanner.",
    ),
    Code.ONLY_LOCALIZER: Reason(
        "All CT objects are localizers, dose reports or secondary captures.",
        "Send the axial planning series.",
    ),
    Code.TOO_LARGE: Reason(
        "The folder holds more, or larger, images than any planning CT has.",
        "Send only the planning CT.",
    ),
    Code.UNREADABLE_FILE: Reason(
        "A file is damaged or cannot be opened, and may have been a slice of the series.",
        "Send the series again into an empty folder, and check the folder's permissions.",
    ),
    Code.UNREADABLE_PIXELS: Reason(
        "A slice's pixel data are missing, cut short, of no kind that a CT image has, or damaged.",
        "Send the series again; if it fails once more, export it uncompressed, with 16 bits for "
        "each pixel.",
    ),
    Code.AMBIGUOUS_PIXELS: Reason(
        "Bits Stored, High Bit or Pixel Representation contradict the pixel data: the values of "
        "some voxels could be either of two.",
        "Export the series with 16 Bits Stored, and without graphics in the pixels.",
    ),
    Code.UNSUPPORTED_TRANSFER_SYNTAX: Reason(
        "The slices are stored in a transfer syntax that is not supported.",
        "Export the series as Explicit or Implicit VR Little Endian.",
    ),
    Code.NO_MATCHING_SERIES: Reason(
        "No CT series matches the series rules in force.",
        "Check the rules under `series` in app.yaml against the study.",
    ),
    Code.AMBIGUOUS_SERIES: Reason(
        "Several CT series could be the planning CT, and no rule decides between them.",
        "Send one series, or add a rule under `series` in app.yaml.",
    ),
    Code.MIXED_PATIENTS: Reason(
        "The slices name more than one patient.",
        "Find out whose images these are before anything else; send one patient.",
    ),
    Code.MIXED_STUDIES: Reason(
        "The slices belong to more than one study, or one series is filed under several.",
        "Send one study, or run with --each-study. Correct a series that is filed under several.",
    ),
    Code.MIXED_ORIENTATION: Reason(
        "The slices of the series are not parallel.",
        "Send one axial reconstruction.",
    ),
    Code.MIXED_MATRIX: Reason(
        "The slices of the series differ in rows or columns.",
        "Send one reconstruction.",
    ),
    Code.MIXED_SPACING: Reason(
        "The slices of the series differ in pixel spacing.",
        "Send one reconstruction.",
    ),
    Code.MIXED_FRAME_OF_REFERENCE: Reason(
        "The slices of the series differ in Frame of Reference UID.",
        "Send one acquisition.",
    ),
    Code.MISSING_POSITION: Reason(
        "A slice has no valid Image Position (Patient).",
        "Export the series with its geometry.",
    ),
    Code.MISSING_ORIENTATION: Reason(
        "A slice has no valid Image Orientation (Patient).",
        "Export the series with its geometry.",
    ),
    Code.MISSING_SPACING: Reason(
        "A slice has no valid Pixel Spacing.",
        "Export the series with its geometry.",
    ),
    Code.MISSING_RESCALE: Reason(
        "A slice has no valid Rescale Slope and Intercept, so its Hounsfield units are unknown.",
        "Export the original CT, not a derived copy.",
    ),
    Code.MISSING_FRAME_OF_REFERENCE: Reason(
        "The series has no Frame of Reference UID, so contours could not be tied to it.",
        "Export the original CT; a planning system needs this UID too.",
    ),
    Code.DUPLICATE_CONFLICT: Reason(
        "Two slices at one position, or two objects of one UID, differ in content; or one image "
        "stands at two positions.",
        "Send the series again from its source, one reconstruction only.",
    ),
    Code.MISSING_SLICE: Reason(
        "A slice is missing: the distance between neighbours jumps once.",
        "Send the series again, complete.",
    ),
    Code.DISPLACED_SLICE: Reason(
        "A slice lies off its place in an even stack: its position is damaged.",
        "Send the series again from its source.",
    ),
    Code.GANTRY_TILT: Reason(
        "The stack is sheared: the slices do not follow one another along their normal.",
        "Acquire the planning CT without gantry tilt.",
    ),
    Code.OBLIQUE: Reason(
        "The slices are turned away from the axial plane by more than the limit.",
        "Send the axial series, or raise `series.max_oblique_degrees` knowingly.",
    ),
    Code.ENHANCED_CT: Reason(
        "The CT is stored as enhanced multi-frame objects, which are not supported.",
        "Export it as classic single-frame CT images.",
    ),
    Code.POSITION_CONTRADICTS_ORIENTATION: Reason(
        "Patient Position does not go with the orientation of the slices: one of both is wrong.",
        "Check the patient's position at the scanner; do not use these images as they are.",
    ),
    Code.LOSSY_COMPRESSION: Reason(
        "The CT was compressed with loss, and the settings refuse that.",
        "Send the original images, or set `series.lossy: note` knowingly.",
    ),
    Code.INVALID_IDENTITY: Reason(
        "The patient's name or ID, a UID or the character set breaks DICOM's rules: no result "
        "could be matched.",
        "Correct the identity at its source.",
    ),
    Code.TOO_FEW_SLICES: Reason(
        "The series has too few slices to be a planning CT.",
        "Send the complete series.",
    ),
    Code.WRONG_ANATOMY: Reason(
        "Head and neck were not found in the scan, or only a part of them.",
        "Send a CT of the head and neck. If it is one, the patient may have been registered in a "
        "wrong position, or part of the image is lost: do not use these images as they are.",
    ),
    Code.POSITION_CONTRADICTS_ANATOMY: Reason(
        "The anatomy contradicts the orientation in the header: left and right may be swapped.",
        "Check how the patient was registered at the scanner. Do not use these images as they are.",
    ),
    Code.IMPLAUSIBLE_HU: Reason(
        "The voxel values are not Hounsfield units of a CT.",
        "Export the original CT with its own rescale, and check the scanner's calibration.",
    ),
    Code.DISCONTINUOUS_SLICES: Reason(
        "The slices' images do not follow one another: some stand under another slice's header, or "
        "are mirrored or damaged.",
        "Send the series again from its source. Do not use these images as they are.",
    ),
    Code.NOTHING_SEGMENTED: Reason(
        "None of the requested organs could be contoured.",
        "Read the organs' statuses: the scan may not show them, or no model may be installed.",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One reason against an input. detail: counts and limits in words, never patient data."""

    code: Code
    detail: str


class Refusal(Exception):
    """The input will not be processed. The first finding (in table order) is the refusal.

    account: the input's files by class as plain values for result.json, None before they are known.
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

    code: a short name for programs, such as MODEL_HASH or OUTPUT_IN_USE.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Fault(Exception):
    """The program itself is wrong (self-check failed): exit status 1, nothing leaves."""
