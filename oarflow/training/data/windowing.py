"""HU to a network's input values."""

from __future__ import annotations

from torch import Tensor


def scale_window(hu: Tensor, window: tuple[float, float]) -> Tensor:
    """HU to -1..1 within the window, as the application does it."""
    low, high = window
    return (hu.clamp(low, high) - low) / (high - low) * 2 - 1
