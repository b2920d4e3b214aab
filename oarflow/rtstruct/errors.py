"""Why an RTSTRUCT cannot be read."""

from __future__ import annotations

from enum import StrEnum


class ReadCode(StrEnum):
    """Reason codes of the reader."""

    NOT_A_FILE = "NOT_A_FILE"
    TOO_LARGE = "TOO_LARGE"
    NOT_DICOM = "NOT_DICOM"
    DAMAGED = "DAMAGED"
    NOT_RTSTRUCT = "NOT_RTSTRUCT"
    INCONSISTENT = "INCONSISTENT"
    OTHER_CT = "OTHER_CT"


READ_REASONS: dict[ReadCode, str] = {
    ReadCode.NOT_A_FILE: "The path is not a regular file that can be opened.",
    ReadCode.TOO_LARGE: "The file exceeds a limit that no real structure set comes near.",
    ReadCode.NOT_DICOM: "The bytes are not a DICOM data set.",
    ReadCode.DAMAGED: "The file is cut short or altered: its lengths, counts or numbers disagree.",
    ReadCode.NOT_RTSTRUCT: "The DICOM object is not an RT Structure Set.",
    ReadCode.INCONSISTENT: "Contours cannot be attributed to one named region each.",
    ReadCode.OTHER_CT: "The structure set was not drawn on the CT that was given with it.",
}


class ReadError(Exception):
    """The file is refused. detail: counts and places in words, never a value from the file."""

    def __init__(self, code: ReadCode, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")
