"""Structures by recipe, from the assessed contours."""

from __future__ import annotations

from operators.stage import Stage


class DeriveOperator(Stage):
    """Adds one segmentation for each derived structure. The graph has it only if there are any."""

    stage = "derive"
