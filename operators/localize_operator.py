"""Finds where each organ lies in the whole CT."""

from __future__ import annotations

from operators.stage import Stage


class LocalizeOperator(Stage):
    """Adds the localizations."""

    stage = "localize"
