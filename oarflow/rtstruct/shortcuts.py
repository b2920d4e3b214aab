"""Shortcuts: an RTSTRUCT to masks, and masks to an RTSTRUCT."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from oarflow.rtstruct.masks import Colour
from oarflow.rtstruct.provenance import Origin
from oarflow.rtstruct.rtstruct import PathLike, RTStruct


def read(path: PathLike, *, ct: PathLike) -> Mapping[str, NDArray[np.bool_]]:
    """The masks of an RTSTRUCT by name, bool (z, y, x) on the CT's grid.

    Equivalent to `RTStruct.open(path, ct=ct).masks`, with the same errors.
    """
    return RTStruct.open(path, ct=ct).masks


def write(
    path: PathLike,
    masks: Mapping[str, NDArray[np.generic]],
    *,
    ct: PathLike,
    colours: Mapping[str, Colour] | None = None,
    origin: Origin | str = Origin.AUTOMATIC,
    overwrite: bool = False,
) -> None:
    """Write masks (z, y, x) on the CT's grid as an RTSTRUCT, in their order, and check the file.

    Equivalent to `RTStruct.new(ct=ct)`, `add` for each mask and `save`, with the same errors.
    """
    structures = RTStruct.new(ct=ct)
    for name, mask in masks.items():
        structures.add(name, mask, colour=(colours or {}).get(name), origin=origin)
    structures.save(path, overwrite=overwrite)
