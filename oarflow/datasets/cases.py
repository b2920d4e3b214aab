"""The one form in which every data set is handed on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oarflow.geometry import Grid
from oarflow.types import Mask
from oarflow.volume import Image

Voxels = NDArray[np.int16] | NDArray[np.float32]


class LazyMasks(Mapping[str, Mask]):
    """Masks by catalogue name, read from their source at each access and not kept."""

    def __init__(self, organs: tuple[str, ...], load: Callable[[str], Mask]) -> None:
        self._organs = organs
        self._load = load

    def __getitem__(self, organ: str) -> Mask:
        if organ not in self._organs:
            raise KeyError(organ)
        return self._load(organ)

    def __contains__(self, organ: object) -> bool:
        return organ in self._organs

    def __iter__(self) -> Iterator[str]:
        return iter(self._organs)

    def __len__(self) -> int:
        return len(self._organs)


@dataclass(frozen=True, eq=False)
class Case:
    """One patient's CT with reference contours.

    id: name within its data set. ct: int16 or float32 HU (z, y, x); index grows to the patient's
    head (z), back (y) and left (x). spacing_zyx: mm. masks: bool (z, y, x) by catalogue name; an
    organ that is not there was not drawn, which says nothing of the anatomy. body: bool (z, y, x),
    where the CT was published; None where all of it was. origin_lps: (x, y, z) mm of voxel
    (0, 0, 0). unmapped: names of contours that mean no organ of the catalogue, or one that another
    contour is taken for. read_mr: reads the patient's MR; None where the data set has none.
    remarks: by catalogue name, contours that do not lie on the CT's slices as they should.
    read_ignored: makes the mask of unlabelled voxels, which are no organ's and not
    outside one either; None where all were labelled.

    Raises ValueError where shapes or spacing cannot be.
    """

    id: str
    ct: Voxels
    spacing_zyx: tuple[float, float, float]
    masks: Mapping[str, Mask] = field(default_factory=dict)
    body: Mask | None = None
    origin_lps: tuple[float, float, float] = (0.0, 0.0, 0.0)
    unmapped: tuple[str, ...] = ()
    read_mr: Callable[[], Image] | None = None
    remarks: Mapping[str, str] = field(default_factory=dict)
    read_ignored: Callable[[], Mask] | None = None

    def __post_init__(self) -> None:
        if self.ct.ndim != 3 or min(self.ct.shape) < 1:
            raise ValueError(f"case {self.id}: a CT of shape {self.ct.shape}")
        if len(self.spacing_zyx) != 3 or not min(self.spacing_zyx) > 0:
            raise ValueError(f"case {self.id}: spacing {self.spacing_zyx} must be positive")
        if self.body is not None and self.body.shape != self.ct.shape:
            raise ValueError(f"case {self.id}: body {self.body.shape}, CT {self.ct.shape}")

    @property
    def mr(self) -> Image | None:
        """The patient's MR, read at each access; None where the data set has none."""
        return self.read_mr() if self.read_mr else None

    @property
    def ignored(self) -> Mask | None:
        """bool (z, y, x), unlabelled voxels; None where all are labelled."""
        return self.read_ignored() if self.read_ignored else None

    def labelled(self, mask: Mask) -> Mask:
        """A mask without the unlabelled voxels, in which it is neither right nor wrong."""
        ignored = self.ignored
        return mask if ignored is None else mask & ~ignored

    @property
    def grid(self) -> Grid:
        """The case's voxels in patient space: axial slices, rows to the left."""
        slices = self.ct.shape[0]
        positions = np.tile(np.asarray(self.origin_lps, dtype=np.float64), (slices, 1))
        positions[:, 2] += np.arange(slices) * self.spacing_zyx[0]
        return Grid(
            positions_lps=positions,
            x_direction=np.array([1.0, 0.0, 0.0]),
            y_direction=np.array([0.0, 1.0, 0.0]),
            spacing_yx=self.spacing_zyx[1:],
            shape=(self.ct.shape[0], self.ct.shape[1], self.ct.shape[2]),
        )

    def cropped(self, first: int, last: int) -> Case:
        """The same case on slices first to last, both included, at their place in patient space."""
        kept = slice(first, last + 1)
        ignored = self.read_ignored
        x, y, z = self.origin_lps
        return Case(
            self.id,
            self.ct[kept],
            self.spacing_zyx,
            LazyMasks(tuple(self.masks), lambda organ: self.masks[organ][kept]),
            None if self.body is None else self.body[kept],
            (x, y, z + first * self.spacing_zyx[0]),
            self.unmapped,
            self.read_mr,
            self.remarks,
            None if ignored is None else lambda: ignored()[kept],
        )
