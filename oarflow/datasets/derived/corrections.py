"""What was seen in pictures: labels left out, and labels corrected, from a committed table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy import ndimage
from skimage.draw import polygon

from oarflow.datasets.derived.voxels import NEIGHBOURS
from oarflow.settings_files import explain
from oarflow.types import Mask
from oarflow.yaml_files import YamlError, read_yaml

TABLE = Path(__file__).parent / "openkbp.yaml"


class _CorrectionModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Exclusion(_CorrectionModel):
    """An organ's labels that are not used, with the reason."""

    organ: str
    patients: tuple[str, ...]
    reason: str = Field(min_length=1)


class Correction(_CorrectionModel):
    """One change of one label, in voxel indices (z, y, x) of the case.

    cut_below, cut_above: nothing below (above) this slice, which stays. remove_part: the component
    that holds this voxel goes. slices and points: a polygon of (y, x) on slices first to last, both
    included, is added or removed.

    Raises ValidationError where it says nothing, or several things.
    """

    organ: str
    patient: str
    reason: str = Field(min_length=1)
    cut_below: int | None = None
    cut_above: int | None = None
    remove_part: tuple[int, int, int] | None = None
    polygon: Literal["add", "remove"] | None = None
    slices: tuple[int, int] = (0, -1)
    points: tuple[tuple[float, float], ...] = ()

    @model_validator(mode="after")
    def _one_change(self) -> Self:
        given = (self.cut_below, self.cut_above, self.remove_part, self.polygon)
        if sum(change is not None for change in given) != 1:
            raise ValueError("a correction makes exactly one change")
        if self.polygon and (len(self.points) < 3 or self.slices[1] < self.slices[0]):
            raise ValueError("a polygon needs three points and its slices")
        return self

    def apply(self, mask: Mask) -> Mask:
        """The corrected mask. Raises ValueError where the voxel of remove_part is not in it."""
        changed = mask.copy()
        if self.cut_below is not None:
            changed[: self.cut_below] = False
        if self.cut_above is not None:
            changed[self.cut_above + 1 :] = False
        if self.remove_part is not None:
            labels, _ = ndimage.label(mask, NEIGHBOURS)
            number = labels[self.remove_part]
            if number == 0:
                raise ValueError(f"{self.patient}: {self.organ} is not at {self.remove_part}")
            changed &= labels != number
        if self.polygon is not None:
            rows, columns = np.asarray(self.points).T
            plane = polygon(rows, columns, mask.shape[1:])  # type: ignore[no-untyped-call]
            for level in range(self.slices[0], self.slices[1] + 1):
                changed[level][plane] = self.polygon == "add"
        return changed


class Checked(_CorrectionModel):
    """Patients whose labels were all looked at on every third slice."""

    tune: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()

    @property
    def patients(self) -> frozenset[str]:
        return frozenset(self.tune + self.validation)


class Corrections(_CorrectionModel):
    """The whole table."""

    exclusions: tuple[Exclusion, ...] = ()
    corrections: tuple[Correction, ...] = ()
    checked: Checked = Checked()

    @classmethod
    def read(cls, path: Path = TABLE) -> Corrections:
        """Raises ValueError naming the entry that is wrong."""
        try:
            return cls.model_validate(read_yaml(path, as_written=True) or {})
        except YamlError as error:
            raise ValueError(f"{path.name}: {error}") from error
        except ValidationError as error:
            raise ValueError(f"{path.name}: {explain(error, cls)}") from error

    def excluded(self, organ: str, patient: str) -> str | None:
        """Why the patient's label is left out, or None."""
        for row in self.exclusions:
            if row.organ == organ and patient in row.patients:
                return row.reason
        return None

    def of(self, organ: str, patient: str) -> Iterable[Correction]:
        return (c for c in self.corrections if c.organ == organ and c.patient == patient)
