"""What flows between localizer, segmenters, plausibility and writer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from oarflow.flags.flag import Flag

OutputKind = Literal["RTSTRUCT", "SEG", "REPORT_HTML", "REPORT_PDF", "ENCAPSULATED_PDF"]
"""What a delivered file is."""


class Status(StrEnum):
    """What became of an organ that was asked for."""

    SEGMENTED = "segmented"
    SUSPICIOUS = "suspicious"
    TRUNCATED = "truncated"
    ABSENT = "absent"
    FAILED = "failed"
    NO_MODEL = "no_model"
    NOT_DERIVED = "not_derived"

    @property
    def written(self) -> bool:
        """Whether the RTSTRUCT holds the organ."""
        return self in (Status.SEGMENTED, Status.SUSPICIOUS, Status.TRUNCATED)


class Side(StrEnum):
    """A face of the volume, by its own axes (patient directions for axial series)."""

    INFERIOR = "inferior"
    SUPERIOR = "superior"
    ANTERIOR = "anterior"
    POSTERIOR = "posterior"
    RIGHT = "right"
    LEFT = "left"


@dataclass(frozen=True)
class Localization:
    """What the localizer says of one organ.

    present: whether the organ is in the scan.
    score: mean of the map's highest values inside the component, 0 to 1.
    centroid_lps: (x, y, z) in patient space, mm; None where absent.
    extent_mm: (z, y, x) size along the volume's axes; None where absent.
    slices: first and last CT slice index, both included; None where absent.
    cut: faces of the field of view that cut the organ.
    by_neighbours: nobody saw it; other organs' places say where to look (oarflow.placing).
    """

    organ: str
    present: bool
    score: float
    centroid_lps: tuple[float, float, float] | None = None
    extent_mm: tuple[float, float, float] | None = None
    slices: tuple[int, int] | None = None
    cut: frozenset[Side] = frozenset()
    by_neighbours: bool = False


@dataclass(frozen=True, eq=False)
class ProbabilityField:
    """A network's probabilities on the CT grid, cropped to the part that matters.

    values: float32 (z, y, x), 0 to 1; zero everywhere outside.
    offset: index (z, y, x) of values[0, 0, 0] in the CT.
    threshold: the level at which the organ's surface lies.
    clipped: whether the organ ran on to the end of what its network saw, inside the CT.
    steadiness: Dice with the same network's mask of the same patch, moved by some voxels; None
        where it was not asked again.
    """

    values: NDArray[np.float32]
    offset: tuple[int, int, int]
    threshold: float = 0.5
    clipped: bool = False
    steadiness: float | None = None

    @property
    def mask(self) -> NDArray[np.bool_]:
        """bool (z, y, x), the cropped mask: values at or above the threshold."""
        return np.asarray(self.values >= self.threshold)

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where the field lies in the CT, as slices (z, y, x)."""
        z, y, x = (slice(o, o + n) for o, n in zip(self.offset, self.values.shape, strict=True))
        return z, y, x


@dataclass(frozen=True)
class ModelIdentity:
    """Which network made a segmentation.

    derived_labels: whether it learned from labels that rules made, which no one drew.
    """

    name: str
    version: str
    sha256: str
    derived_labels: bool = False


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One organ's result. field is None unless the status is written.

    volume_cc, slices: of the mask on the CT grid. flags: empty where nothing speaks against the
    organ. notes: what else was done to it, in words. seconds: time the organ took.
    """

    organ: str
    status: Status
    field: ProbabilityField | None = None
    flags: tuple[Flag, ...] = ()
    volume_cc: float = 0.0
    slices: int = 0
    seconds: float = 0.0
    model: ModelIdentity | None = None
    localization: Localization | None = None
    notes: tuple[str, ...] = ()
