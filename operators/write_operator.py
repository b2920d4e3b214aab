"""Writes the DICOM files, reads them back and compares them with the masks."""

from __future__ import annotations

from operators.stage import Stage


class WriteOperator(Stage):
    """Adds the checked files."""

    stage = "write"
