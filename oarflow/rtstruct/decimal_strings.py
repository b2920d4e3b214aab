"""Numbers as DICOM decimal strings (VR DS): without exponent, at most 16 bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_DS_BYTES = 16


def format_ds(value: float) -> str:
    """The shortest plain decimal that reads back as the value, or as close as 16 bytes allow.

    No exponent, no "-0". Raises ValueError where 16 bytes cannot hold the value.
    """
    if not np.isfinite(value):
        raise ValueError(f"{value} cannot be written as a decimal string")
    text = np.format_float_positional(value, unique=True, trim="-")
    if len(text) > MAX_DS_BYTES:
        room = MAX_DS_BYTES - len(f"{int(abs(value)):d}") - (value < 0) - 1
        if room < 0:
            raise ValueError(f"{value} has too many digits for a decimal string")
        text = np.format_float_positional(round(value, room), precision=room, trim="-")
    return "0" if text in ("-0", "") else text


def contour_text(
    points_lps: NDArray[np.float64], decimals: int, constant_axis: int | None
) -> bytes:
    r"""Points (n, 3) as the value of ContourData: x\y\z\x\y\z..., padded to even length.

    decimals: of the coordinates. constant_axis: the axis (0, 1, 2) with equal coordinates of all
    points, which keeps the slice's own digits.

    Raises ValueError where a number would need more than 16 bytes.
    """
    if np.abs(points_lps).max() >= 10.0 ** (MAX_DS_BYTES - 2 - decimals):
        raise ValueError(f"a coordinate has too many digits for {decimals} decimals")
    columns = [f"%.{decimals}f"] * 3
    varying = [0, 1, 2]
    if constant_axis is not None and np.ptp(points_lps[:, constant_axis]) == 0:
        columns[constant_axis] = format_ds(float(points_lps[0, constant_axis]))
        varying.remove(constant_axis)
    numbers = np.round(points_lps[:, varying], decimals) + 0.0
    template = "\\".join(["\\".join(columns)] * len(points_lps))
    return padded((template % tuple(numbers.ravel().tolist())).encode("ascii"))


def padded(value: bytes, padding: bytes = b" ") -> bytes:
    """A value padded to even length, as DICOM requires."""
    return value + padding if len(value) % 2 else value
