"""result.json: the public, versioned record of a run, built by pure functions.

It never holds a patient's name, ID or birth date. `oarflow config schema` prints its
JSON Schema, which is published as docs/result.schema.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oarflow.errors import Code, ExitStatus, Finding, Refusal
from oarflow.flags.flag import Flag
from oarflow.reason_codes import REASONS
from oarflow.structures import (
    Localization,
    ModelIdentity,
    OutputKind,
    Segmentation,
    Side,
    Status,
)
from oarflow.version import __version__
from oarflow.volume import Volume

SCHEMA_VERSION: Literal["2.0"] = "2.0"
"""The minor number grows with additions, the major number where readers must change."""

FILE_NAME = "result.json"

Vector = tuple[float, float, float]
NetworkRole = Literal["localizer", "coarse view", "fusion", "segmenter"]
Seconds = Annotated[float, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelPart(_Part):
    """A network.

    derived_labels: it learned from labels that a rule computed from CTs, not from drawn contours
    (docs/explanation/derived-labels.md).
    """

    name: str
    version: str
    sha256: str
    derived_labels: bool = False


class NetworkPart(ModelPart):
    """A network that ran. role: from its card."""

    role: NetworkRole


class Run(_Part):
    """The program's version, times, memory and networks.

    started: ISO 8601. device: None where no network ran. peak_gpu_memory_mb: of the networks'
    tensors on the GPU; None without a GPU. networks: all that ran, with the localizer, in the order
    of their first run.
    """

    program: Literal["oarflow"] = "oarflow"
    version: str = __version__
    started: str
    seconds: Seconds
    stages: dict[str, Seconds]
    device: str | None
    peak_memory_mb: Annotated[float, Field(ge=0)]
    peak_gpu_memory_mb: Annotated[float, Field(ge=0)] | None = None
    networks: tuple[NetworkPart, ...] = ()


class ReasonPart(_Part):
    """A reason code with its meaning and remedy. detail: counts and limits in words."""

    code: Code
    meaning: str
    remedy: str
    detail: str


class RefusalPart(ReasonPart):
    """The reason of a refusal. also: further reasons."""

    also: tuple[ReasonPart, ...] = ()


class FaultPart(_Part):
    """An error of the program. kind: FAULT for a failed check, else the exception's name."""

    kind: str
    message: str


class Input(_Part):
    """The CT that was read.

    spacing_mm: (z, y, x), z the median slice distance. slice_gaps_mm: smallest and largest one.
    orientation: direction cosines along growing x index, then along growing y index (LPS).
    """

    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str
    pixel_sha256: str
    slices: Annotated[int, Field(ge=1)]
    rows: Annotated[int, Field(ge=1)]
    columns: Annotated[int, Field(ge=1)]
    spacing_mm: Vector
    slice_gaps_mm: tuple[float, float] | None
    origin_mm: Vector
    orientation: tuple[Vector, Vector]
    notes: tuple[str, ...] = ()


class Files(_Part):
    """The number of input files by class."""

    total: Annotated[int, Field(ge=0)]
    classes: dict[str, int]
    other_objects: dict[str, int] = {}


class LocalizationPart(_Part):
    """The localizer's result: centroid (x, y, z) LPS in mm, extent (z, y, x) in mm."""

    present: bool
    score: float
    centroid_mm: Vector | None
    extent_mm: Vector | None
    slices: tuple[int, int] | None
    cut: tuple[Side, ...]


class SourcePart(_Part):
    """A network's source. origin: its maker and training data. licence: name of the licence."""

    origin: str
    licence: str


class OrganPart(_Part):
    """One requested organ.

    flags: reasons to doubt the contour, or why there is none. notes: further remarks, such as
    dropped islands. source: of its network; None where not recorded. parents: the organs from which
    a derived structure was computed; empty for an organ that a network contoured.
    """

    name: str
    status: Status
    flags: tuple[Flag, ...] = ()
    notes: tuple[str, ...] = ()
    volume_cc: Annotated[float, Field(ge=0)]
    slices: Annotated[int, Field(ge=0)]
    seconds: Seconds
    model: ModelPart | None = None
    source: SourcePart | None = None
    parents: tuple[str, ...] = ()
    localization: LocalizationPart | None = None


class OutputPart(_Part):
    """A delivered file.

    path: relative to the folder of this document. sop_instance_uid: None where it is no DICOM.
    """

    path: str
    kind: OutputKind
    sop_instance_uid: str | None
    sha256: Sha256


class ResultError(ValueError):
    """A document that is no result.json or has another version; the message says what to do."""


class ResultDocument(_Part):
    """The whole document. `read_document` reads one.

    study_flags: flags of the whole study. They make no organ suspicious, but concern all of them.
    template: the name of the template that named the organs; None without one.
    """

    schema_version: Literal["2.0"] = SCHEMA_VERSION
    run: Run
    exit_status: int
    refusal: RefusalPart | None = None
    fault: FaultPart | None = None
    input: Input | None = None
    files: Files | None = None
    template: str | None = None
    study_flags: tuple[Flag, ...] = ()
    organs: tuple[OrganPart, ...] = ()
    outputs: tuple[OutputPart, ...] = ()
    settings: dict[str, Any] = {}

    def as_json(self) -> bytes:
        """The document's bytes: UTF-8, indented, with a final line break."""
        return (json.dumps(self.model_dump(mode="json"), indent=2) + "\n").encode("ascii")


def read_document(content: bytes) -> ResultDocument:
    """The document of a result.json. Raises ResultError."""
    try:
        return ResultDocument.model_validate_json(content)
    except ValidationError as error:
        version = _version_of(content)
        if version in (None, SCHEMA_VERSION):
            raise ResultError(f"not a valid {FILE_NAME}") from error
        raise ResultError(
            f"{FILE_NAME} has schema version {version}, but oarflow {__version__} reads only "
            f"version {SCHEMA_VERSION}: contour the CT again"
        ) from error


def _version_of(content: bytes) -> str | None:
    """The version that a document states, if it is short plain text; else None."""
    try:
        version = json.loads(content)["schema_version"]
    except (ValueError, LookupError, TypeError):
        return None
    known = isinstance(version, str) and re.fullmatch(r"\d{1,3}(\.\d{1,3}){0,2}", version)
    return version if known else None


def refusal_part(refusal: Refusal) -> RefusalPart:
    """A refusal as result.json holds it."""
    first = _reason(refusal.findings[0])
    also = tuple(_reason(finding) for finding in refusal.also)
    return RefusalPart(**first.model_dump(), also=also)


def _reason(finding: Finding) -> ReasonPart:
    reason = REASONS[finding.code]
    return ReasonPart(
        code=finding.code, meaning=reason.meaning, remedy=reason.remedy, detail=finding.detail
    )


def input_part(volume: Volume, notes: Sequence[str] = ()) -> Input:
    """Facts about a volume, without patient data."""
    grid, source = volume.grid, volume.source
    gaps = [float(b - a) for a, b in zip(grid.offsets_mm, grid.offsets_mm[1:], strict=False)]
    return Input(
        study_instance_uid=source.study_uid,
        series_instance_uid=source.series_uid,
        frame_of_reference_uid=source.frame_of_reference_uid,
        pixel_sha256=source.pixel_digest,
        slices=grid.shape[0],
        rows=grid.shape[1],
        columns=grid.shape[2],
        spacing_mm=_vector(grid.spacing_zyx),
        slice_gaps_mm=(_rounded(min(gaps)), _rounded(max(gaps))) if gaps else None,
        origin_mm=_vector(grid.positions_lps[0]),
        orientation=(_vector(grid.x_direction), _vector(grid.y_direction)),
        notes=tuple(notes),
    )


def organ_part(segmentation: Segmentation, notes: Sequence[str] = ()) -> OrganPart:
    """The result of an organ."""
    written = segmentation.status.written
    return OrganPart(
        name=segmentation.organ,
        status=segmentation.status,
        flags=segmentation.flags,
        notes=(*segmentation.notes, *notes),
        volume_cc=round(segmentation.volume_cc, 3) if written else 0.0,
        slices=segmentation.slices if written else 0,
        seconds=round(segmentation.seconds, 3),
        model=_model(segmentation.model),
        localization=_localization(segmentation.localization),
    )


def _model(identity: ModelIdentity | None) -> ModelPart | None:
    if identity is None:
        return None
    return ModelPart.model_validate(asdict(identity))


def network_part(identity: ModelIdentity, role: NetworkRole) -> NetworkPart:
    """A network that ran."""
    return NetworkPart.model_validate({**asdict(identity), "role": role})


def _localization(found: Localization | None) -> LocalizationPart | None:
    if found is None:
        return None
    return LocalizationPart(
        present=found.present,
        score=round(found.score, 4),
        centroid_mm=None if found.centroid_lps is None else _vector(found.centroid_lps),
        extent_mm=None if found.extent_mm is None else _vector(found.extent_mm),
        slices=found.slices,
        cut=tuple(sorted(found.cut)),
    )


def organ_parts(
    segmentations: Iterable[Segmentation], notes: Mapping[str, Sequence[str]]
) -> tuple[OrganPart, ...]:
    """All requested organs, in their order."""
    return tuple(organ_part(s, notes.get(s.organ, ())) for s in segmentations)


def written_status(
    organs: Iterable[OrganPart], study_flags: Sequence[Flag], *, strict: bool
) -> ExitStatus:
    """Exit status of a run whose RTSTRUCT was written."""
    doubtful = (Status.FAILED, Status.SUSPICIOUS)
    if strict and (study_flags or any(organ.status in doubtful for organ in organs)):
        return ExitStatus.HELD
    return ExitStatus.WRITTEN


def json_schema() -> str:
    """JSON Schema of the document, as published."""
    schema = ResultDocument.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2) + "\n"


def _rounded(value: float) -> float:
    return round(float(value), 6) + 0.0


def _vector(values: Iterable[float]) -> Vector:
    a, b, c = (_rounded(value) for value in values)
    return a, b, c
