"""Masks of 21 organs by two observers on 35 planning CTs (Nikolov et al., arXiv 1809.04430).

Stored as one npz a scan and observer, `<part>/<observer>/<scan>.npz`: `shape`, `spacing_mm`,
`origin_mm` (z, y, x) and for each organ its mask's bounding box and `<organ>.offset`. The CTs are
not part of it, so these are no `oarflow.datasets.cases.Case`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oarflow.organs import Catalogue
from oarflow.types import Mask

OBSERVERS = ("oncologist", "radiographer")


@dataclass(frozen=True, eq=False)
class CroppedMask:
    """A mask in its bounding box. values: bool (z, y, x); offset: index of its first voxel."""

    values: Mask
    offset: NDArray[np.int64]

    def within(self, low: NDArray[np.int64], high: NDArray[np.int64]) -> Mask:
        """The mask on the voxels low (included) to high (excluded), (z, y, x)."""
        whole = np.zeros(high - low, dtype=np.bool_)
        if self.values.size:
            first = self.offset - low
            box = tuple(
                slice(int(a), int(a) + n) for a, n in zip(first, self.values.shape, strict=True)
            )
            whole[box] = self.values
        return whole


@dataclass(frozen=True, eq=False)
class Drawing:
    """One observer's masks of one scan, by catalogue name. spacing_zyx in mm."""

    spacing_zyx: tuple[float, float, float]
    masks: Mapping[str, CroppedMask]


def scans(folder: Path) -> tuple[Path, ...]:
    """The files of the first observer that the second has too, over all parts.

    Raises FileNotFoundError where there is none.
    """
    one, other = OBSERVERS
    found = [
        path
        for path in sorted(folder.glob(f"*/{one}/*.npz"))
        if (path.parent.parent / other / path.name).is_file()
    ]
    if not found:
        raise FileNotFoundError(f"no scan by {one} and {other} in {folder}")
    return tuple(found)


def read_drawing(path: Path, catalogue: Catalogue) -> Drawing:
    """Read one file. Raises ValueError for an organ that the catalogue does not know."""
    with np.load(path) as arrays:
        names = [name for name in arrays.files if f"{name}.offset" in arrays.files]
        masks = {_organ(name, catalogue): _cropped(arrays, name) for name in names}
        z, y, x = (float(mm) for mm in arrays["spacing_mm"])
    return Drawing((z, y, x), masks)


def _organ(name: str, catalogue: Catalogue) -> str:
    organ = catalogue.resolve(name)
    if organ is None:
        raise ValueError(f"{name!r} is no name of an organ in the catalogue")
    return organ.name


def _cropped(arrays: Any, name: str) -> CroppedMask:
    return CroppedMask(
        np.asarray(arrays[name], dtype=np.bool_),
        np.asarray(arrays[f"{name}.offset"], dtype=np.int64),
    )
