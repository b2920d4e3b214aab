"""The plausibility rules, before files are written."""

from __future__ import annotations

from operators.stage import Stage


class AssessOperator(Stage):
    """Settles overlaps and adds the rules' flags."""

    stage = "assess"
