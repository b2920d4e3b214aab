"""result.json: the public, versioned record of a run, built by pure functions.

It never holds a patient's name, ID or birth date. `oarflow config schema` prints its
JSON Schema, which is published as docs/reference/result.schema.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oarflow import docstrings
from oarflow.errors import Code, ExitStatus, Finding, Refusal
from oarflow.flags.flag import Flag
from oarflow.licences import Commercial
from oarflow.reason_codes import REASONS
from oarflow.structures import (
    Localization,
    ModelIdentity,
    OpinionVerdict,
    OutputKind,
    SecondOpinion,
    Segmentation,
    Side,
    Status,
)
from oarflow.templates.template import TemplateChoice
from oarflow.version import __version__
from oarflow.volume import Volume

SCHEMA_VERSION: Literal["2.0"] = "2.0"
"""The minor number grows with additions, the major number where readers must change."""

FILE_NAME = "result.json"

Vector = tuple[float, float, float]
NetworkRole = Literal["localizer", "coarse view", "fusion", "segmenter", "rule"]
Seconds = Annotated[float, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelPart(_Part):
    """A network or a rule."""

    name: str
    """Its name."""
    version: str
    """Its version."""
    sha256: str
    """SHA-256 of a network's file `model.ts`, or of the source files and card of a rule."""
    derived_labels: bool = False
    """True if it learned from labels that rules computed from CTs."""
    rule: bool = False
    """True if it is a rule of the program, not a network."""


class SourcePart(_Part):
    """Where a network comes from."""

    origin: str
    """Who made it, and from which data."""
    licence: str
    """Name of its licence."""
    commercial: Commercial = "unknown"
    """Whether the licence allows commercial use: `yes`, `no` or `unknown`."""


class NetworkPart(ModelPart):
    """A network or rule that ran."""

    role: NetworkRole
    """Its task."""
    source: SourcePart | None = None
    """Origin of the network; null if it is not recorded."""


class Run(_Part):
    """The program and the run."""

    program: Literal["oarflow"] = "oarflow"
    """Always `oarflow`."""
    version: str = __version__
    """Version of the program."""
    started: str
    """Start of the run, ISO 8601."""
    seconds: Seconds
    """Duration of the run."""
    stages: dict[str, Seconds]
    """Duration by stage."""
    device: str | None
    """Device of the networks; null: no network ran."""
    peak_memory_mb: Annotated[float, Field(ge=0)]
    """Peak memory of the process during the run."""
    peak_gpu_memory_mb: Annotated[float, Field(ge=0)] | None = None
    """Peak memory of the networks' tensors on the GPU; null: no GPU was used."""
    networks: tuple[NetworkPart, ...] = ()
    """Every network that ran, in the order of first use."""


class ReasonPart(_Part):
    """A reason code, its meaning and its remedy."""

    code: Code
    """The reason code."""
    meaning: str
    """What the code means."""
    remedy: str
    """What to do."""
    detail: str
    """Counts and limits of this input."""


class RefusalPart(ReasonPart):
    """The reason for which the input was refused."""

    also: tuple[ReasonPart, ...] = ()
    """Other reasons for refusal."""


class FaultPart(_Part):
    """An error of the program."""

    kind: str
    """`FAULT` for a fault that the program detected itself, otherwise the exception's name."""
    message: str
    """The error in words."""


class Input(_Part):
    """The CT that was read."""

    study_instance_uid: str
    """Study Instance UID of the CT."""
    series_instance_uid: str
    """Series Instance UID of the CT."""
    frame_of_reference_uid: str
    """Frame of Reference UID of the CT."""
    pixel_sha256: str
    """SHA-256 of the voxels."""
    slices: Annotated[int, Field(ge=1)]
    """Number of slices."""
    rows: Annotated[int, Field(ge=1)]
    """Rows of a slice."""
    columns: Annotated[int, Field(ge=1)]
    """Columns of a slice."""
    spacing_mm: Vector
    """Voxel spacing (z, y, x); z is the median distance of slices."""
    slice_gaps_mm: tuple[float, float] | None
    """Smallest and greatest distance of neighbouring slices; null: one slice."""
    origin_mm: Vector
    """Centre of the first voxel (x, y, z) in patient space (LPS)."""
    orientation: tuple[Vector, Vector]
    """Direction cosines (LPS) of growing x index and growing y index."""
    notes: tuple[str, ...] = ()
    """Remarks on the input."""


class Files(_Part):
    """Every file of the input."""

    total: Annotated[int, Field(ge=0)]
    """Number of files."""
    classes: dict[str, int]
    """Number of files by class, for example `ct_slice`."""
    other_objects: dict[str, int] = {}
    """Number of other DICOM objects by kind."""


class LocalizationPart(_Part):
    """What the localization network found for an organ."""

    present: bool
    """Whether the organ is in the CT, according to the localization network."""
    score: float
    """Score of the localization network, 0 to 1."""
    centroid_mm: Vector | None
    """Centre (x, y, z) in patient space (LPS)."""
    extent_mm: Vector | None
    """Extent (z, y, x)."""
    slices: tuple[int, int] | None
    """First and last slice. Slice 0 is the slice nearest to the feet."""
    cut: tuple[Side, ...]
    """Sides on which the field of view cuts the organ."""


class SecondOpinionPart(_Part):
    """What a second network found for an organ."""

    network: ModelPart
    """The second network. Its contour is not written."""
    verdict: OpinionVerdict
    """`agrees` and `differs` compare two contours by their mean surface distance. `agrees` also
    stands for two networks that find no organ. With `found_nothing`, only the organ's own network
    found it, with `found_more` only the second network. With `failed`, there is no comparison."""
    volume_cc: Annotated[float, Field(ge=0)]
    """Volume of the second network's contour in cc."""
    mean_mm: float | None
    """Mean surface distance of both contours in mm; null without two contours."""
    hd95_mm: float | None
    """95 % Hausdorff distance of both contours in mm; null without two contours."""
    limit_mm: float | None
    """Greatest `mean_mm` of contours that agree; null without two contours."""
    limit_measured: bool
    """True if the limit was measured on patients, false if it is a guess."""
    reason: str
    """Why the second network failed; empty if it did not."""
    seconds: Seconds
    """Time that the second network took for the organ; part of the organ's `seconds`."""


class OrganPart(_Part):
    """One requested organ or derived structure."""

    name: str
    """Name in the catalogue or in `structures`."""
    status: Status
    """Outcome for the organ."""
    flags: tuple[Flag, ...] = ()
    """Reasons to doubt the contour, or the reason why there is none."""
    notes: tuple[str, ...] = ()
    """Further remarks, such as removed islands."""
    volume_cc: Annotated[float, Field(ge=0)]
    """Volume in cc; 0 without a contour."""
    slices: Annotated[int, Field(ge=0)]
    """Number of slices with a contour."""
    seconds: Seconds
    """Time spent on the organ."""
    model: ModelPart | None = None
    """The network that contoured the organ."""
    source: SourcePart | None = None
    """Origin of the network; null if it is not recorded."""
    parents: tuple[str, ...] = ()
    """Organs and structures from which a derived structure is made."""
    recipe: str | None = None
    """How a derived structure is made; null: a network or rule contoured it."""
    localization: LocalizationPart | None = None
    """Position at which the organ was searched for; null if its network needs none."""
    second_opinions: tuple[SecondOpinionPart, ...] = ()
    """Results of the networks that the setting `second_opinion` names."""


class OutputPart(_Part):
    """A delivered file."""

    path: str
    """Path relative to the folder of `result.json`."""
    kind: OutputKind
    """What the file is."""
    sop_instance_uid: str | None
    """SOP Instance UID; null for files that are no DICOM."""
    sha256: Sha256
    """SHA-256 of the file."""


class TemplatePart(_Part):
    """The template that was chosen for the CT."""

    name: str
    """Name of the template."""
    rule: str | None
    """The rule that fits the CT; null: it is the default."""
    sha256: Sha256
    """SHA-256 of the template's name, rules and settings."""

    @property
    def words(self) -> str:
        """The template and why it was chosen, for people."""
        return f"{self.name} ({'no rule fits' if self.rule is None else f'rule {self.rule}'})"


class ResultError(ValueError):
    """A document that is no result.json or has another version; the message says what to do."""


class ResultDocument(_Part):
    """The whole document."""

    schema_version: Literal["2.0"] = SCHEMA_VERSION
    """Version of the structure of this document."""
    run: Run
    """The program and the run."""
    exit_status: int
    """Exit status of the run."""
    refusal: RefusalPart | None = None
    """Why the input was refused; null if it was not."""
    fault: FaultPart | None = None
    """The program's error; null if there was none."""
    input: Input | None = None
    """The CT that was read; null if none was."""
    files: Files | None = None
    """Every file of the input."""
    template: TemplatePart | None = None
    """The template that was chosen for the CT; null without one."""
    study_flags: tuple[Flag, ...] = ()
    """Flags of the whole study. They concern all organs and make none suspicious."""
    organs: tuple[OrganPart, ...] = ()
    """Every requested organ, then every derived structure."""
    outputs: tuple[OutputPart, ...] = ()
    """The delivered files."""
    settings: dict[str, Any] = {}
    """The settings in force."""

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


def template_part(choice: TemplateChoice | None) -> TemplatePart | None:
    """A choice of a template, without the texts that its rule matched."""
    if choice is None:
        return None
    rule = None if choice.rule is None else choice.rule.words
    return TemplatePart(name=choice.template.name, rule=rule, sha256=choice.template.digest)


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
        source=_source(segmentation.model),
        parents=segmentation.parents,
        recipe=segmentation.recipe or None,
        localization=_localization(segmentation.localization),
        second_opinions=tuple(map(_second_opinion, segmentation.second_opinions)),
    )


def _second_opinion(opinion: SecondOpinion) -> SecondOpinionPart:
    return SecondOpinionPart(
        network=ModelPart.model_validate(_plain(opinion.model)),
        verdict=opinion.verdict,
        volume_cc=round(opinion.volume_cc, 3),
        mean_mm=None if opinion.mean_mm is None else round(opinion.mean_mm, 3),
        hd95_mm=None if opinion.hd95_mm is None else round(opinion.hd95_mm, 3),
        limit_mm=opinion.limit_mm,
        limit_measured=opinion.limit_measured,
        reason=opinion.reason,
        seconds=round(opinion.seconds, 3),
    )


def _model(identity: ModelIdentity | None) -> ModelPart | None:
    if identity is None:
        return None
    return ModelPart.model_validate(_plain(identity))


def _source(identity: ModelIdentity | None) -> SourcePart | None:
    source = None if identity is None else identity.source
    if source is None:
        return None
    return SourcePart(origin=source.origin, licence=source.licence, commercial=source.commercial)


def _plain(identity: ModelIdentity) -> dict[str, Any]:
    return {name: getattr(identity, name) for name in ModelPart.model_fields}


def network_part(identity: ModelIdentity, role: NetworkRole) -> NetworkPart:
    """A network that ran."""
    return NetworkPart(**_plain(identity), role=role, source=_source(identity))


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
    doubtful = (Status.FAILED, Status.SUSPICIOUS, Status.NOT_DERIVED)
    if strict and (study_flags or any(organ.status in doubtful for organ in organs)):
        return ExitStatus.HELD
    return ExitStatus.WRITTEN


def json_schema() -> str:
    """JSON Schema of the document, as published."""
    schema = ResultDocument.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    _describe(schema, ResultDocument)
    parts: list[type] = [*_parts(_Part), Flag]
    for part in parts:
        if part.__name__ in schema["$defs"]:
            _describe(schema["$defs"][part.__name__], part)
    return json.dumps(schema, indent=2) + "\n"


def _parts(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for part in of.__subclasses__():
        yield part
        yield from _parts(part)


def _describe(schema: dict[str, Any], part: type) -> None:
    """Add to each field of a part what its docstring says."""
    for name, meaning in docstrings.of_fields(part).items():
        if name in schema["properties"]:
            schema["properties"][name]["description"] = meaning


def _rounded(value: float) -> float:
    return round(float(value), 6) + 0.0


def _vector(values: Iterable[float]) -> Vector:
    a, b, c = (_rounded(value) for value in values)
    return a, b, c
