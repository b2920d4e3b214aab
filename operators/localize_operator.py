"""One look at the whole CT: where is which organ?"""

from __future__ import annotations

from operators.stage import Stage


class LocalizeOperator(Stage):
    """Adds the localizations."""

    stage = "localize"
