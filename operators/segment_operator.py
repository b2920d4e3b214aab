"""Contours each organ with its network."""

from __future__ import annotations

from operators.stage import Stage


class SegmentOperator(Stage):
    """Adds one segmentation for each organ of the task."""

    stage = "segment"
