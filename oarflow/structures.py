"""The data that localizer, segmenter, plausibility rules and writer exchange."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

import numpy as np

from oarflow.flags.flag import Flag
from oarflow.geometry import Grid
from oarflow.licences import Commercial
from oarflow.masks import bounding_box, common_part, dice_of_sizes
from oarflow.types import Box, FloatVoxels, Mask, Point, Triple

OutputKind = Literal["RTSTRUCT", "SEG", "REPORT_HTML", "REPORT_PDF", "ENCAPSULATED_PDF"]
"""The kind of a delivered file."""


class Status(StrEnum):
    """The outcome for a requested organ."""

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
    """The localizer's result for one organ.

    present: whether the organ is in the scan.
    score: mean of the map's highest values inside the component, 0 to 1.
    centroid_lps: (x, y, z) in patient space, mm; None where absent.
    extent_mm: (z, y, x) size along the volume's axes; None where absent.
    slices: first and last CT slice index, both included; None where absent.
    cut: faces of the field of view that cut the organ.
    by_neighbours: not seen by the localizer; the region is predicted from neighbouring organs.
    """

    organ: str
    present: bool
    score: float
    centroid_lps: Point | None = None
    extent_mm: Triple | None = None
    slices: tuple[int, int] | None = None
    cut: frozenset[Side] = frozenset()
    by_neighbours: bool = False


@dataclass(frozen=True, eq=False)
class ProbabilityField:
    """A network's probabilities on the CT grid, cropped to the organ.

    values: float32 (z, y, x), 0 to 1; zero everywhere outside.
    offset: index (z, y, x) of values[0, 0, 0] in the CT.
    threshold: the level at which the organ's surface lies.
    clipped: whether the organ reaches the edge of the network's field of view inside the CT.
    steadiness: Dice with the same network's mask on a patch shifted by some voxels; None where it
        was not run again.
    """

    values: FloatVoxels
    offset: tuple[int, int, int]
    threshold: float = 0.5
    clipped: bool = False
    steadiness: float | None = None

    @classmethod
    def of_mask(cls, mask: Mask) -> ProbabilityField:
        """A mask on the CT grid, cropped to where it is. Raises ValueError where it is empty."""
        z, y, x = box = bounding_box(mask)
        return cls(mask[box].astype(np.float32), (z.start, y.start, x.start))

    @property
    def mask(self) -> Mask:
        """The cropped mask: values at or above the threshold."""
        return np.asarray(self.values >= self.threshold)

    @property
    def box(self) -> Box:
        """Where the field lies in the CT."""
        z, y, x = (slice(o, o + n) for o, n in zip(self.offset, self.values.shape, strict=True))
        return z, y, x

    @property
    def mask_box(self) -> Box:
        """The smallest box of the CT around the mask. Raises ValueError where it is empty."""
        z, y, x = (
            slice(side.start + first, side.stop + first)
            for side, first in zip(bounding_box(self.mask), self.offset, strict=True)
        )
        return z, y, x

    def full_mask(self, shape: tuple[int, ...]) -> Mask:
        """The mask on a whole CT of that shape (z, y, x)."""
        full = np.zeros(shape, dtype=np.bool_)
        full[self.box] = self.mask
        return full

    def volume_cc(self, grid: Grid) -> float:
        """Volume of the mask in cm3, each slice as thick as `Grid.slice_thickness_mm` says."""
        planes = self.mask.sum(axis=(1, 2))
        pixel_mm2 = grid.spacing_yx[0] * grid.spacing_yx[1]
        return float(planes @ grid.slice_thickness_mm[self.box[0]]) * pixel_mm2 / 1000

    def common_part(self, other: ProbabilityField) -> tuple[Box, Box] | None:
        """The part that both fields cover, in the indices of each; None where they do not meet."""
        return common_part(self.box, other.box)

    def shared_voxels(self, other: ProbabilityField) -> int:
        """How many voxels both masks hold."""
        both = self.common_part(other)
        if both is None:
            return 0
        mine, theirs = both
        taken = (self.values[mine] >= self.threshold) & (other.values[theirs] >= other.threshold)
        return int(np.count_nonzero(taken))

    def dice(self, other: ProbabilityField) -> float:
        """Dice of both masks."""
        sizes = (int(np.count_nonzero(field.mask)) for field in (self, other))
        return dice_of_sizes(self.shared_voxels(other), *sizes)


@dataclass(frozen=True)
class NetworkOrigin:
    """Where a network comes from.

    origin: who made it, and from which data. licence: its name. shipped: whether OARflow brings it.
    """

    origin: str
    licence: str
    commercial: Commercial = "unknown"
    shipped: bool = False


@dataclass(frozen=True)
class ModelIdentity:
    """The network or rule that made a segmentation.

    derived_labels: whether it learned from labels that a rule computed, not from drawn contours.
    card_sha256: of all on its card that changes contours. source: None where it is not recorded.
    imported: whether it was trained elsewhere and imported.
    UIDs of written files depend on the repr, which leaves these three out. rule: whether it is a
    rule of the program, not a network. sha256 is then of what defines it.
    """

    name: str
    version: str
    sha256: str
    derived_labels: bool = False
    card_sha256: str = field(default="", repr=False)
    source: NetworkOrigin | None = field(default=None, repr=False)
    imported: bool = field(default=False, repr=False)
    rule: bool = False


class OpinionVerdict(StrEnum):
    """How a second network's result compares with an organ's contour."""

    AGREES = "agrees"
    DIFFERS = "differs"
    FOUND_NOTHING = "found_nothing"
    FOUND_MORE = "found_more"
    FAILED = "failed"


@dataclass(frozen=True)
class SecondOpinion:
    """A second network's result for an organ. Its contour is compared and then dropped.

    volume_cc: of its contour. mean_mm, hd95_mm: between both surfaces; None without two contours.
    limit_mm: greatest mean_mm with which both agree. limit_measured: whether patients gave it.
    reason: why the network failed. seconds: time that it took.
    """

    model: ModelIdentity
    verdict: OpinionVerdict
    volume_cc: float = 0.0
    mean_mm: float | None = None
    hd95_mm: float | None = None
    limit_mm: float | None = None
    limit_measured: bool = False
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The result of one organ or derived structure. field is None unless the status is written.

    volume_cc, slices: of the mask on the CT grid. flags: empty where no rule was violated. notes:
    further remarks in words, such as dropped islands. seconds: time that the organ took. parents,
    recipe: of a derived structure, the recipe in words; empty for an organ. second_opinions: of
    the networks that the settings ask, in their order.
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
    parents: tuple[str, ...] = ()
    recipe: str = ""
    second_opinions: tuple[SecondOpinion, ...] = ()

    def with_field(self, field: ProbabilityField, grid: Grid) -> Segmentation:
        """A copy with another field, its volume and its slices."""
        return replace(
            self,
            field=field,
            volume_cc=field.volume_cc(grid),
            slices=int(field.mask.any(axis=(1, 2)).sum()),
        )
