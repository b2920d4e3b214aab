"""Commissioning: a clinic's own patients against its own limits, and the record of it.

The record is bound by hashes to what was measured: the program, its settings, the networks, every
patient's voxels and contours, and the limits. Its own digest stands in it and on its pages, so that
a signature on paper belongs to one file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from oarflow.compare.scores import TOLERANCE_MM, finite
from oarflow.evaluation.application import ModelFile
from oarflow.evaluation.scoring.requested import NOT_REQUESTED
from oarflow.organs import Catalogue
from oarflow.structures import Status
from oarflow.version import __version__
from oarflow.yaml_files import YamlError, read_yaml

WRONG_DSC = 0.3
"""A contour without any flag and a Dice below this failed in silence."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Length = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class _RecordModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AcceptanceLimits(_RecordModel):
    """What an organ must hold; None: not asked for. See `thresholds.yaml` for each."""

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


class Thresholds(_RecordModel):
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


class MeasuredContour(_RecordModel):
    """One organ of one patient that the clinic contoured.

    hd95_mm: None where it is missed. reference_cc: None where the CT was refused, since nothing can
    be measured on it. An organ that was not asked for, or has no network, has no figures at all.
    """

    patient: str
    organ: str
    status: str
    flags: tuple[str, ...]
    dsc: float | None
    hd95_mm: float | None
    surface_dice: float | None
    volume_cc: float | None
    reference_cc: float | None
    swapped: bool
    model_sha256: Sha256 | None

    @classmethod
    def without_figures(cls, patient: str, organ: str, status: str) -> MeasuredContour:
        """An organ that the application was not to contour. status: as `not_requested` has it."""
        return cls(
            patient=patient,
            organ=organ,
            status=status,
            flags=(),
            dsc=None,
            hd95_mm=None,
            surface_dice=None,
            volume_cc=None,
            reference_cc=None,
            swapped=False,
            model_sha256=None,
        )

    @property
    def missed(self) -> bool:
        """Whether nothing was contoured."""
        return self.volume_cc == 0

    @property
    def silent_failure(self) -> bool:
        """Whether it is wrong and nothing says so."""
        said = self.status == Status.SEGMENTED.value and not self.flags
        return said and self.dsc is not None and self.dsc < WRONG_DSC


class Network(_RecordModel):
    """A network of the models folder. organs: those that it contours; none for a localizer."""

    folder: str
    name: str
    version: str
    sha256: Sha256
    organs: tuple[str, ...]


class Patient(_RecordModel):
    """One patient, under a number. Digests of the CT's voxels, the clinic's RTSTRUCT and ours.

    remarks: the clinic's contours that do not lie on the CT's slices as they should.
    """

    patient: str
    pixel_sha256: Sha256 | None
    reference_sha256: Sha256
    rtstruct_sha256: Sha256 | None
    refusal: str | None = None
    unmapped: Count = 0
    remarks: tuple[str, ...] = ()

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without remarks where there are none, as records had it before they were kept."""
        stored: dict[str, Any] = handler(self)
        return stored if self.remarks else {k: v for k, v in stored.items() if k != "remarks"}


class Decision(_RecordModel):
    """Whether an organ may be used, with which network, and why not.

    figures: those that limits speak of, by their names.
    """

    organ: str
    allowed: bool
    network: Network | None
    figures: dict[str, float | None]
    reasons: tuple[str, ...] = ()


class CommissioningRecord(_RecordModel):
    """The whole document. sha256: over its other fields, see `digest`."""

    kind: Literal["oarflow-commissioning"] = "oarflow-commissioning"
    schema_version: Literal["1.0"] = "1.0"
    made: str
    clinic: str
    version: str = __version__
    program_sha256: Sha256
    settings: dict[str, Any]
    thresholds: Thresholds
    networks: tuple[Network, ...]
    patients: tuple[Patient, ...]
    decisions: tuple[Decision, ...]
    measured: tuple[MeasuredContour, ...]
    sha256: str = ""

    @property
    def digest(self) -> str:
        """sha256 over the record's JSON without its own digest, keys sorted, no spaces."""
        plain = self.model_dump(mode="json", exclude={"sha256"})
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def sealed(self) -> CommissioningRecord:
        """The record with its digest."""
        return self.model_copy(update={"sha256": self.digest})

    def as_json(self) -> str:
        """The file's text."""
        return json.dumps(self.model_dump(mode="json"), indent=2) + "\n"


def read_thresholds(path: Path, catalogue: Catalogue) -> Thresholds:
    """Read a clinic's limits. Raises ValueError naming the entry that is wrong."""
    try:
        found = Thresholds.model_validate(read_yaml(path))
    except YamlError as error:
        raise ValueError(f"{path} is no YAML: {error}") from None
    except ValidationError as error:
        raise ValueError(f"{path}: {_first(error)}") from None
    unknown = [organ for organ in found.organs if organ not in catalogue]
    if unknown:
        raise ValueError(f"{path}: {unknown[0]!r} is not in the catalogue")
    return found


def read_record(path: Path) -> CommissioningRecord:
    """Read a record. Raises ValueError where it is none, or was changed since it was made."""
    try:
        found = CommissioningRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} is no commissioning record: {_first(error)}") from None
    if found.digest != found.sha256:
        raise ValueError(f"{path} was changed after it was made: its digest does not fit")
    return found


def network(file: ModelFile) -> Network:
    """A model's card as the record holds it."""
    return Network(**file.__dict__)


def decide(
    networks: Sequence[Network], thresholds: Thresholds, measured: Sequence[MeasuredContour]
) -> tuple[Decision, ...]:
    """A decision for every organ that a network contours or a limit names, in their order."""
    of = {organ: one for one in networks for organ in one.organs}
    organs = dict.fromkeys([*of, *thresholds.organs])
    return tuple(
        _decision(
            organ,
            of.get(organ),
            thresholds,
            [one for one in measured if one.organ == organ],
        )
        for organ in organs
    )


def figures(group: Sequence[MeasuredContour]) -> dict[str, float | None]:
    """What limits speak of, by their names. None where there is nothing to measure.

    Contours without figures do not count.
    """
    group = [one for one in group if one.dsc is not None]
    dices = [one.dsc for one in group if one.dsc is not None]
    surfaces = [one.surface_dice for one in group if one.surface_dice is not None]
    distances = finite(one.hd95_mm for one in group if one.hd95_mm is not None)
    errors = [
        abs((one.volume_cc or 0.0) / one.reference_cc - 1) if one.reference_cc else 1.0
        for one in group
    ]
    return {
        "patients": len(group),
        "mean_dsc": fmean(dices) if dices else None,
        "lowest_dsc": min(dices, default=None),
        "median_hd95_mm": median(distances) if distances else None,
        "greatest_hd95_mm": max(distances, default=None),
        "mean_surface_dice": fmean(surfaces) if surfaces else None,
        "mean_volume_error": fmean(errors) if errors else None,
        "missed": sum(one.missed for one in group),
        "silent_failures": sum(one.silent_failure for one in group),
        "swapped": sum(one.swapped for one in group),
    }


_AT_LEAST = frozenset({"patients", "mean_dsc", "lowest_dsc", "mean_surface_dice"})
"""Limits that a figure must reach; the others must not be passed."""

WORDS: Mapping[str, str] = {
    "patients": "patients",
    "mean_dsc": "mean Dice",
    "lowest_dsc": "lowest Dice",
    "median_hd95_mm": "median HD95 (mm)",
    "greatest_hd95_mm": "greatest HD95 (mm)",
    "mean_surface_dice": "mean surface Dice",
    "mean_volume_error": "mean volume error",
    "missed": "missed",
    "silent_failures": "failed in silence",
    "swapped": "sides swapped",
}
"""Limits in words."""


def _decision(
    organ: str, made_by: Network | None, thresholds: Thresholds, group: Sequence[MeasuredContour]
) -> Decision:
    found = figures(group)
    reasons = []
    if made_by is None:
        reasons.append("no network contours it")
    limits = thresholds.of(organ)
    not_asked = not found["patients"] and any(one.status == NOT_REQUESTED for one in group)
    if limits is None and thresholds.default != AcceptanceLimits():
        reasons.append("the limits do not name it: default limits hold for named organs alone")
    elif limits is None or limits == AcceptanceLimits():
        reasons.append("no limit is set for it")
    elif not not_asked:
        reasons += _broken(limits, found)
    if not_asked:
        reasons.append("the settings do not ask for it")
    elif not group:
        reasons.append("no patient has a contour of it to compare with")
    others = {one.model_sha256 for one in group if one.model_sha256}
    if made_by is not None and others - {made_by.sha256}:
        reasons.append("it was contoured by another network than the models folder holds")
    return Decision(
        organ=organ,
        allowed=not reasons,
        network=made_by,
        figures=found,
        reasons=tuple(reasons),
    )


def _broken(limits: AcceptanceLimits, found: Mapping[str, float | None]) -> list[str]:
    """Limits that do not hold, in words."""
    reasons = []
    for name, limit in limits.model_dump(exclude_none=True).items():
        value = found[name]
        if value is None:
            reasons.append(f"{WORDS[name]} cannot be measured")
        elif name in _AT_LEAST and value < limit:
            reasons.append(f"{WORDS[name]} {_plain(value)} is below {_plain(limit)}")
        elif name not in _AT_LEAST and value > limit:
            reasons.append(f"{WORDS[name]} {_plain(value)} is above {_plain(limit)}")
    return reasons


def _plain(value: float) -> str:
    return f"{value:.3g}"


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'file'}: {first['msg']}"
