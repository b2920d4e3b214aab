"""Why an RTSTRUCT cannot be read."""

from __future__ import annotations

from enum import StrEnum


class ReadCode(StrEnum):
    """Reason codes of the reader."""

    NOT_A_FILE = "NOT_A_FILE"
    """The path is not a regular file that can be opened."""
    TOO_LARGE = "TOO_LARGE"
    """The file exceeds a limit far above any real structure set."""
    NOT_DICOM = "NOT_DICOM"
    """The bytes are not a DICOM data set."""
    DAMAGED = "DAMAGED"
    """The file is truncated or altered: its lengths, counts or numbers contradict each other."""
    NOT_RTSTRUCT = "NOT_RTSTRUCT"
    """The DICOM object is not an RT Structure Set."""
    INCONSISTENT = "INCONSISTENT"
    """Contours cannot be attributed to one named region each."""
    OTHER_CT = "OTHER_CT"
    """The structure set was not drawn on the CT that was given with it."""


class ReadError(Exception):
    """The file is refused. detail: counts and places in words, never a value from the file."""

    def __init__(self, code: ReadCode, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")
