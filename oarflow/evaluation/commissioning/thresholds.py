"""The limits that a clinic sets before it measures. `thresholds.yaml` is an example."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oarflow.compare.scores import TOLERANCE_MM
from oarflow.organs import Catalogue
from oarflow.settings_files import explain
from oarflow.yaml_files import YamlError, read_yaml

Count = Annotated[int, Field(ge=0)]
Length = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class FrozenModel(BaseModel):
    """A document's part that takes no unknown entry and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AcceptanceLimits(FrozenModel):
    """What an organ must hold; None: not checked. See `thresholds.yaml` for each."""

    patients: Count | None = None
    mean_dsc: Share | None = None
    lowest_dsc: Share | None = None
    median_hd95_mm: Length | None = None
    greatest_hd95_mm: Length | None = None
    mean_surface_dice: Share | None = None
    mean_volume_error: Length | None = None
    missed: Count | None = None
    silent_failures: Count | None = None
    swapped: Count | None = None


class Thresholds(FrozenModel):
    """A clinic's limits. organs: by catalogue name; what one leaves out, `default` says."""

    tolerance_mm: Annotated[float, Field(gt=0)] = TOLERANCE_MM
    default: AcceptanceLimits = AcceptanceLimits()
    organs: dict[str, AcceptanceLimits] = {}

    def of(self, organ: str) -> AcceptanceLimits | None:
        """An organ's limits; None where the file does not name it."""
        own = self.organs.get(organ)
        if own is None:
            return None
        return AcceptanceLimits(**self.default.model_dump() | own.model_dump(exclude_none=True))


def read_thresholds(path: Path, catalogue: Catalogue) -> Thresholds:
    """Read a clinic's limits. Raises ValueError naming the entry that is wrong."""
    try:
        found = Thresholds.model_validate(read_yaml(path))
    except YamlError as error:
        raise ValueError(f"{path} is no YAML: {error}") from None
    except ValidationError as error:
        raise ValueError(f"{path}: {explain(error, Thresholds)}") from None
    unknown = [organ for organ in found.organs if organ not in catalogue]
    if unknown:
        raise ValueError(f"{path}: {unknown[0]!r} is not in the catalogue")
    return found
