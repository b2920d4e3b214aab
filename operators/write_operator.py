"""Segmentations to DICOM files that were read back and compared."""

from __future__ import annotations

from operators.stage import Stage


class WriteOperator(Stage):
    """Adds the proven files."""

    stage = "write"
