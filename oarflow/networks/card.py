"""The model card, model.json: all facts about a network that the application uses."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from oarflow.errors import ConfigurationError
from oarflow.json_files import JsonError, read_json
from oarflow.settings_files import explain

if TYPE_CHECKING:
    from oarflow.structures import ModelIdentity, NetworkOrigin

CARD_NAME = "model.json"
NETWORK_NAME = "model.ts"

Kind = TypeVar("Kind", bound=BaseModel)
Window = tuple[float, float]
SURE_SCORE = 0.85
"""Default of sure_score. With the shipped localizer, upright heads score at least 0.9; turned ones
have false localizations of up to 0.8, rarely of 0.9."""

_PARTNERS = {"_L": "_R", "_R": "_L"}
Positive = Annotated[float, Field(gt=0)]


class Role(StrEnum):
    """The task of a network, or of the rule that a card names (oarflow.networks.rule_card)."""

    LOCALIZER = "localizer"
    VIEW = "coarse view"
    FUSION = "fusion"
    SEGMENTER = "segmenter"
    RULE = "rule"


class View(StrEnum):
    """The plane of a 2-D network's slices, by the volume's axes."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


class Strict(BaseModel):
    """A part of the card: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Channel(Strict):
    """One input channel.

    source: ct and mr are images, windowed to -1..1; side is constant, -1 right or 1 left; view is
        a coarse network's probability of one organ, for a fusion network.
    offset_mm: for 2-D networks, the distance of this channel's plane along the slice normal.
    window: lowest and highest value of the input range: HU for CT; 0 to 1000 for a scaled MR
        (oarflow.segmentation.registration.scaled_mr).
    optional: of an mr channel; without a usable MR it has the lowest value.
    view, organ: of a view channel.
    """

    source: Literal["ct", "mr", "side", "view"] = "ct"
    offset_mm: float = 0.0
    window: Window = (-250.0, 350.0)
    optional: bool = False
    view: View | None = None
    organ: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Channel:
        named = self.view is not None and self.organ is not None
        if named != (self.source == "view"):
            raise ValueError("a view channel, and no other, names a view and an organ")
        if self.optional and self.source != "mr":
            raise ValueError("only an mr channel can be optional")
        return self


class InputRegion(Strict):
    """The region that a network reads.

    localization: a patch around the localized organ.
    organ: the box of another organ's contour, grown by grow_mm on all sides. A network with a side
        names the left organ and uses that organ's partner for the right ones.
    volume: the whole volume.
    """

    source: Literal["localization", "organ", "volume"]
    organ: str | None = None
    grow_mm: float = 0.0

    @model_validator(mode="after")
    def _names_its_organ(self) -> InputRegion:
        if (self.source == "organ") != (self.organ is not None):
            raise ValueError("a region from an organ, and no other, names an organ")
        return self


CLINICAL_LABELS = "clinical contours"

PROPOSED_LABELS = "clinical contours; proposals of networks for patients without one"
"""Of networks that also learned from what others proposed (oarflow train propose)."""

EXPERT_LABELS = "contours of two experts by one guideline, drawn for research"
"""Of networks whose training ended on them (oarflow/datasets/experts.py)."""

DERIVED_LABELS = "derived by rules (docs/explanation/derived-labels.md), no clinical contours"
"""Of networks whose labels a program made; their ROIDescription says so, too."""


class Training(Strict):
    """The training of a network.

    recorded: whether the training recorded these facts; otherwise they are options of the export.
    """

    data: str
    cases: int
    commit: str
    steps: int
    minutes: float
    configuration: dict[str, Any] = Field(default_factory=dict)
    labels: str = CLINICAL_LABELS
    recorded: bool = False


class Validation(Strict):
    """Accuracy on n patients; figures by organ and name, such as dice_mean."""

    data: str
    n: dict[str, int] = Field(default_factory=dict)
    figures: dict[str, dict[str, float]] = Field(default_factory=dict)


class ModelCard(Strict):
    """model.json.

    dimensions, view: 3 and None, or 2 and the plane of the slices.
    organs: one output channel each, in this order. A network with a side channel runs once for each
        side: it names its left organs (..._L) and then the same organs of the right (..._R), and
        has an output channel for each pair.
    patch_mm: (z, y, x) extent of the input in mm; for a 2-D network the axis across its slices is
        0. A network that reads the whole volume has (0, 0, 0), or, in 3-D, the extent of its tiles.
    spacing_mm: (z, y, x) of the network's voxels in mm; for a 2-D segmenter the axis across its
        slices is 0, which means the CT's own slices.
    smoothness_mm: (z, y, x) standard deviations in mm of the blur of the training images at the
        network's input; finer CTs are low-pass filtered to it.
    margin_mm: distance in mm beyond the localized range in which slices are run (2-D).
    multiple: each axis of the input is a multiple of this many voxels.
    activation: the function that turns the network's output into probabilities.
    threshold: the probability at the organ's surface.
    least_cc: by organ, the volume in cm3 below which it counts as absent, because a small result
        for an organ at the edge of the scan is not a contour.
    sure_score: of a network that localizes: the least score of a sure landmark.
    """

    schema_version: Literal[1] = 1
    name: str
    version: str
    role: Role
    organs: tuple[str, ...] = Field(min_length=1)
    dimensions: Literal[2, 3]
    view: View | None
    region_from: InputRegion
    channels: tuple[Channel, ...] = Field(min_length=1)
    patch_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    smoothness_mm: tuple[float, float, float]
    margin_mm: float = 0.0
    multiple: int = 16
    activation: Literal["sigmoid", "softmax", "none"] = "sigmoid"
    threshold: Positive = 0.5
    least_cc: dict[str, Positive] = {}
    sure_score: Positive = SURE_SCORE
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    architecture: str
    parameters: int
    training: Training
    validation: Validation | None = None
    note: str = ""

    @model_validator(mode="after")
    def _fits_its_dimensions(self) -> ModelCard:
        if (self.dimensions == 2) != (self.view is not None):
            raise ValueError("a 2-D network has a view, a 3-D network has none")
        if self.role is Role.RULE:
            raise ValueError("a network is no rule")
        if len(set(self.organs)) != len(self.organs):
            raise ValueError("an organ is named twice")
        if (self.role is Role.FUSION) != any(c.source == "view" for c in self.channels):
            raise ValueError("a fusion network, and no other, reads view channels")
        if self.role is Role.SEGMENTER and self.view not in (None, View.AXIAL):
            raise ValueError("a 2-D segmenter reads axial slices")
        half = len(self.organs) // 2
        if self.sided and self.organs[half:] != tuple(map(partner, self.organs[:half])):
            raise ValueError("a network with a side names its left organs, then the right ones")
        return self

    def _has(self, source: str) -> bool:
        return any(channel.source == source for channel in self.channels)

    @property
    def sided(self) -> bool:
        """Whether the side is an input."""
        return self._has("side")

    @property
    def reads_mr(self) -> bool:
        return self._has("mr")

    @property
    def needs_mr(self) -> bool:
        """Whether the network cannot run without an MR."""
        return any(c.source == "mr" and not c.optional for c in self.channels)

    @property
    def outputs(self) -> int:
        """The number of output channels for organs."""
        return len(self.organs) // 2 if self.sided else len(self.organs)

    def output(self, organ: str) -> int:
        """The output channel of an organ. Raises ValueError for an organ of another network."""
        return self.organs.index(organ) % self.outputs

    def side(self, organ: str) -> float:
        """The side channel's value for an organ: 1 left, -1 right."""
        return 1.0 if self.organs.index(organ) < self.outputs else -1.0

    def source_organ(self, organ: str) -> str | None:
        """The organ whose contour defines the network's region; None if there is none."""
        source = self.region_from.organ
        if source is None or not self.sided or self.side(organ) > 0:
            return source
        return partner(source)

    @property
    def derived_labels(self) -> bool:
        """Whether it learned from labels that a rule computed, not from drawn contours."""
        return self.training.labels == DERIVED_LABELS

    @property
    def digest(self) -> str:
        """sha256 (hex) over all that changes contours."""
        return card_digest(self)

    @property
    def origin(self) -> NetworkOrigin | None:
        """Where the network comes from; None where that is not recorded."""
        from oarflow.commissioning.shipped import is_shipped, shipped_source

        return shipped_source() if is_shipped(self.sha256, self.digest) else None

    @property
    def identity(self) -> ModelIdentity:
        """The network's identity for files and result.json."""
        from oarflow.structures import ModelIdentity

        return ModelIdentity(
            self.name, self.version, self.sha256, self.derived_labels, self.digest, self.origin
        )


_WITHOUT_EFFECT = {
    "schema_version",
    "name",
    "version",
    "training",
    "validation",
    "note",
    "labels",
    "source",
    "verification",
    "orientation_evidence",
    "bfloat16_evidence",
}
"""Fields of a card that change no contour."""


def card_digest(card: BaseModel) -> str:
    """sha256 (hex) over all fields of a card that change contours.

    A field at its default does not count, so that new fields leave older cards' digests alone.
    """
    plain = card.model_dump(mode="json", exclude_defaults=True, exclude=_WITHOUT_EFFECT)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def partner(organ: str) -> str:
    """The organ's name on the other side, by its TG-263 ending; unpaired organs keep theirs."""
    ending = _PARTNERS.get(organ[-2:])
    return organ[:-2] + ending if ending else organ


def read_card(path: Path) -> ModelCard:
    """The card at path. Raises ConfigurationError MODEL_CARD where it is absent or not valid."""
    return parse_card(read_document(path), ModelCard, path)


def read_document(path: Path) -> dict[str, Any]:
    """The keys and values of a card. Raises ConfigurationError MODEL_CARD."""
    try:
        document = read_json(path)
    except OSError as error:
        raise ConfigurationError("MODEL_CARD", f"cannot read {path}: {error.strerror}") from error
    except JsonError as error:
        raise ConfigurationError("MODEL_CARD", f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError("MODEL_CARD", f"{path} holds no keys and values")
    return document


def parse_card(document: dict[str, Any], kind: type[Kind], path: Path) -> Kind:
    """A card of that kind. path: for errors. Raises ConfigurationError MODEL_CARD."""
    try:
        return kind.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise ConfigurationError("MODEL_CARD", f"{path}: {explain(error, kind)}") from error


def write_card(card: ModelCard, path: Path) -> None:
    """Write the card as indented JSON."""
    path.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
