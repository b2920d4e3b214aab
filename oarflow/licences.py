"""What is known about the licence of a network."""

from __future__ import annotations

from typing import Literal

Commercial = Literal["yes", "no", "unknown"]
"""Whether a licence allows commercial use."""
