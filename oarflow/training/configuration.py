"""What is trained, and how: one YAML file a network, or a table of one network an organ."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)

from oarflow.networks.card import Role, Window, partner
from oarflow.organs import load_catalogue
from oarflow.settings_files import explain
from oarflow.yaml_files import YamlError, parse_yaml, read_yaml

CONFIGURATIONS = Path(__file__).parent / "configurations"


class Configuration(BaseModel):
    """One network's training.

    offsets_mm: planes along z that a 2-D network reads beside the middle one, as channels.
    patch_mm, spacing_mm: (z, y, x) in mm; z is 0 for a 2-D network, as on the model card.
    smoothness_mm: (z, y, x) blur of the training images as they reach the network (model card).
    jitter_mm: standard deviation (z, y, x) of a patch's centre about the organ's, in mm.
    beyond_mm: how far beyond an organ's ends planes are drawn in training, and run later
        (margin_mm on the card).
    view: the plane that a 2-D network reads. images: what a 3-D network reads, a channel each.
    mr_window, mr_dropout: of an mr channel, which is optional where some samples are drawn without.
    region: what a segmenter looks at: a patch about the organ, the whole slice, the whole volume in
        tiles of patch_mm, or the box of source's contour grown by grow_mm.
    source, grow_mm: labels end at that box, whatever the region. A network that reads the side
        names left organs, then the same of the right; the source is the left one's.
    labels: what organs are called in the data, where it is otherwise.
    least_cc: volumes of organs, in cm3, below which serving calls them absent.
    unions: organs that are others of the network together; the export adds them to its outputs.
    architecture: a name of training.architectures. widths, blocks, backbone, decoder_widths,
        dropouts, residual_units, normalize: its own measures.
    activation: sigmoid (each organ alone) or softmax (all organs and the background).
    threshold: probability from which a voxel is the organ's (model card). Training does not use it:
        `export` takes it as configured now.
    steps, or epochs: an epoch is as many samples as the training patients have slices.
    losses: names of training.optimization.losses with their weights.
    schedule: how the learning rate falls; plateau halves it after `patience` validations without a
        better Dice.
    sampling: what a batch is made of; empty is by role (training.samplers).
    augmentation: clinic (training.augmentation), deformation (elastic and grid), or none.
    mirror: of a 2-D network of a left organ and its right partner, in this order: half of the
        samples are mirrored, and the organs exchanged.
    mixup: two samples laid over each other (RESU, section 4.2.4); weighted draws rare organs more.
    average: decay of the running mean of the weights, which is what is exported.
    validate_every: steps between validations on the tuning patients, 0 for none.
    validate_each_epoch: validate after every epoch instead, as RESU's patience counts.
    keep: what is exported, the last weights or those that validated best.
    precision: of the network's products in training; bfloat16 takes half the time where the
        processor has it. Weights, loss and the exported network are single.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    role: Role
    organs: tuple[str, ...] = Field(min_length=1)
    dimensions: Literal[2, 3]
    offsets_mm: tuple[float, ...] = (0.0,)
    window: Window
    view: Literal["axial", "coronal", "sagittal"] = "axial"
    images: tuple[Literal["ct", "mr", "side"], ...] = ("ct",)
    mr_window: Window = (0.0, 1000.0)
    mr_dropout: float = 0.0
    region: Literal["patch", "slice", "organ", "volume"] = "patch"
    source: str | None = None
    grow_mm: float = 0.0
    labels: dict[str, str] = {}
    least_cc: dict[str, float] = {}
    unions: dict[str, tuple[str, ...]] = {}
    patch_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    smoothness_mm: tuple[float, float, float] = (0.9, 1.66, 1.66)
    jitter_mm: tuple[float, float, float] = (6.0, 6.0, 6.0)
    beyond_mm: float = 18.0
    architecture: str = "residual_unet"
    backbone: Literal["resnet34", "seresnet34", "resnext50"] | None = None
    widths: tuple[PositiveInt, ...] = Field(min_length=1)
    blocks: tuple[PositiveInt, ...] = ()
    decoder_widths: tuple[PositiveInt, ...] = ()
    encoder_dropout: float = 0.0
    decoder_dropout: float = 0.0
    residual_units: int = 2
    normalize: bool = False
    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    threshold: float = Field(default=0.5, gt=0, lt=1)
    steps: int = Field(default=0, ge=0)
    epochs: int | None = Field(default=None, gt=0)
    batch: int = Field(gt=0)
    losses: dict[str, float] = {"dice_and_cross_entropy": 1.0}
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    schedule: Literal["cosine", "constant", "plateau", "polynomial"] = "cosine"
    patience: int = Field(default=10, gt=0)
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    sampling: Literal["", "labelled_slices", "whole_slices"] = ""
    augmentation: Literal["clinic", "deformation", "none"] = "clinic"
    mirror: bool = False
    mixup: Literal["none", "plain", "weighted"] = "none"
    average: float = 0.998
    validate_every: int = Field(default=0, ge=0)
    validate_each_epoch: bool = False
    keep: Literal["last", "best"] = "last"
    precision: Literal["single", "bfloat16"] = "single"
    seed: int = 1

    @model_validator(mode="after")
    def _has_an_end(self) -> Configuration:
        if not self.steps and self.epochs is None:
            raise ValueError("steps or epochs must say how long to train")
        validates = self.validate_every or self.validate_each_epoch
        if (self.keep == "best" or self.schedule == "plateau") and not validates:
            raise ValueError("keep: best and schedule: plateau need validate_every")
        return self

    @model_validator(mode="after")
    def _unites_its_own(self) -> Configuration:
        parts = {part for some in self.unions.values() for part in some}
        if not parts <= set(self.organs) or set(self.unions) & set(self.organs):
            raise ValueError("a union needs organs of the network as parts, and another name")
        if self.unions and (self.activation != "sigmoid" or "side" in self.images):
            raise ValueError("unions need `activation: sigmoid` and no image `side`")
        return self

    @model_validator(mode="after")
    def _mirrors_a_pair(self) -> Configuration:
        if self.mirror and (len(self.organs) != 2 or partner(self.organs[0]) != self.organs[1]):
            raise ValueError("mirror needs two organs, the left one and its right partner")
        if self.mirror and (self.dimensions == 3 or self.region != "patch" or self.sampling):
            raise ValueError("mirror needs `dimensions: 2`, `region: patch` and no `sampling`")
        return self

    @property
    def in_channels(self) -> int:
        return len(self.offsets_mm) if self.dimensions == 2 else len(self.images)

    @property
    def outputs(self) -> int:
        """Organs among the output channels; a network that reads the side has one for a pair."""
        return len(self.organs) // 2 if "side" in self.images else len(self.organs)

    @property
    def out_channels(self) -> int:
        return self.outputs + (self.activation == "softmax")

    @property
    def reads_blocks(self) -> bool:
        """Whether a 3-D segmenter reads more than one organ's own block of the CT."""
        more = self.region != "patch" or self.images != ("ct",) or self.outputs > 1
        return self.role is Role.SEGMENTER and self.dimensions == 3 and more

    @property
    def multiple(self) -> int:
        """Each axis of the input is a multiple of this many voxels."""
        return int(2 ** (len(self.widths) - (self.architecture != "encoder_unet")))

    @property
    def read_labels(self) -> tuple[str, ...]:
        """What the organs are called in the data."""
        return tuple(self.labels.get(organ, organ) for organ in self.organs)

    def lasting(self, samples: int) -> Configuration:
        """A copy with epochs of so many samples turned into steps. Keys in steps stay."""
        epoch = -(-samples // self.batch)
        changes: dict[str, int] = {}
        if not self.steps:
            changes["steps"] = epoch * (self.epochs or 0)
        if self.validate_each_epoch:
            changes["validate_every"] = epoch
        return self.model_copy(update=changes)

    @property
    def patch_voxels(self) -> tuple[int, int, int]:
        """(z, y, x) voxels of a sample; 1 across a 2-D network's slices."""
        z, y, x = (
            1 if step == 0 or extent == 0 else round(extent / step)
            for extent, step in zip(self.patch_mm, self.spacing_mm, strict=True)
        )
        return z, y, x


def read_configuration(name_or_path: str, **changes: Any) -> Configuration:
    """A shipped configuration by name, or any by path, with some values changed.

    `table/organ` is an organ of a shipped table, whose `defaults` all its organs share; any other
    organ of the catalogue has these alone. An organ's name without a table means slice/organ.
    Raises ValueError naming the key that is wrong.
    """
    path = Path(name_or_path)
    if path.suffix != ".yaml":
        path = CONFIGURATIONS / f"{name_or_path}.yaml"
    values = _read(path) if path.is_file() else _from_table(name_or_path)
    given = {key: value for key, value in changes.items() if value is not None}
    try:
        return Configuration.model_validate(values | given)
    except ValidationError as error:
        raise ValueError(f"{path.name}: {explain(error, Configuration)}") from error


def _read(path: Path) -> dict[str, Any]:
    """A YAML file's keys and values. Raises ValueError where it holds none."""
    try:
        values = read_yaml(path)
    except YamlError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold `key: value` lines, not a {type(values).__name__}")
    return values


def shipped_configurations() -> list[tuple[str, str, tuple[str, ...]]]:
    """Each shipped file: its name, its first line of comment, and a table's organs."""
    found = []
    for path in sorted(CONFIGURATIONS.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        about = text.splitlines()[0].removeprefix("# ").rstrip(".")
        found.append((path.stem, about, tuple(_organs(parse_yaml(text)))))
    return found


def _from_table(name: str) -> dict[str, Any]:
    folder, _, organ = name.rpartition("/")
    path = CONFIGURATIONS / f"{folder or 'slice'}.yaml"
    table = read_yaml(path) if path.is_file() else {}
    organs = _organs(table)
    others = organs and "from_catalogue" not in table and organ in load_catalogue()
    if organ not in organs and not others:
        known = ", ".join(sorted(organs)) or "none"
        raise ValueError(f"no configuration {name!r}; organs of {path.stem}: {known}")
    own: dict[str, Any] = {"name": organ, "organs": [organ]}
    shared: dict[str, Any] = table["defaults"]
    return own | shared | organs.get(organ, {})


def _organs(table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The values of each organ in a table; with `from_catalogue`, on top of the catalogue's.

    from_catalogue lists keys: backbone, and patch_mm, the larger one where there are two.
    """
    if "defaults" not in table:
        return {}
    organs = {organ: own or {} for organ, own in table["organs"].items()}
    keys = table.get("from_catalogue")
    if not keys:
        return organs
    listed = {}
    for organ in load_catalogue():
        if organ.backbone is not None:
            edge = organ.default_patch_mm
            known = {"backbone": organ.backbone, "patch_mm": [0, edge, edge]}
            listed[organ.name] = {key: known[key] for key in keys} | organs.get(organ.name, {})
    return listed
