"""The record of a commissioning: what was measured, and what was decided.

It is bound by hashes to what was measured: the program, its settings, the networks, every
patient's voxels and contours, and the limits. Its own digest stands in it and on its pages, so that
a signature on paper belongs to one file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from oarflow.evaluation.application import ModelFile
from oarflow.evaluation.commissioning.thresholds import Count, FrozenModel, Thresholds
from oarflow.evaluation.scoring.statistics import WRONG_DSC
from oarflow.settings_files import explain
from oarflow.structures import Status
from oarflow.version import __version__

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class MeasuredContour(FrozenModel):
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


class Network(FrozenModel):
    """A network of the models folder. organs: those that it contours; none for a localizer."""

    folder: str
    name: str
    version: str
    sha256: Sha256
    organs: tuple[str, ...]


class Patient(FrozenModel):
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


class Decision(FrozenModel):
    """Whether an organ may be used, with which network, and why not.

    figures: those that limits speak of, by their names.
    """

    organ: str
    allowed: bool
    network: Network | None
    figures: dict[str, float | None]
    reasons: tuple[str, ...] = ()


class CommissioningRecord(FrozenModel):
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


def read_record(path: Path) -> CommissioningRecord:
    """Read a record. Raises ValueError where it is none, or was changed since it was made."""
    try:
        found = CommissioningRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(
            f"{path} is no commissioning record: {explain(error, CommissioningRecord)}"
        ) from None
    if found.digest != found.sha256:
        raise ValueError(f"{path} was changed after it was made: its digest does not fit")
    return found


def network(file: ModelFile) -> Network:
    """A model's card as the record holds it."""
    return Network(**file.__dict__)
