"""What is trained, and how: one YAML file a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oarflow.networks.card import Role, Window

CONFIGURATIONS = Path(__file__).parent / "configurations"


class Configuration(BaseModel):
    """One network's training.

    offsets_mm: planes along z that a 2-D network reads beside the middle one, as channels.
    patch_mm, spacing_mm: (z, y, x) in mm; z is 0 for a 2-D network, as on the model card.
    smoothness_mm: (z, y, x) blur of the training images as they reach the network (model card).
    jitter_mm: standard deviation (z, y, x) of a patch's centre about the organ's, in mm.
    beyond_mm: how far beyond an organ's ends planes are drawn in training, and run later
        (margin_mm on the card).
    widths, blocks: of the residual U-Net.
    average: decay of the running mean of the weights, which is what is exported.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    role: Role
    organs: tuple[str, ...]
    dimensions: Literal[2, 3]
    offsets_mm: tuple[float, ...] = (0.0,)
    window: Window
    patch_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    smoothness_mm: tuple[float, float, float] = (0.9, 2.0, 2.0)
    jitter_mm: tuple[float, float, float] = (6.0, 6.0, 6.0)
    beyond_mm: float = 18.0
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    steps: int = Field(gt=0)
    batch: int = Field(gt=0)
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    average: float = 0.998
    seed: int = 1

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

    `table/organ` is an organ of a shipped table, whose `defaults` all its organs share; an organ's
    name alone is slice/organ.
    Raises ValueError naming the key that is wrong.
    """
    path = Path(name_or_path)
    if path.suffix != ".yaml":
        path = CONFIGURATIONS / f"{name_or_path}.yaml"
    if path.exists():
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    else:
        values = _from_table(name_or_path)
    given = {key: value for key, value in changes.items() if value is not None}
    try:
        return Configuration.model_validate(values | given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path.name}: {key}: {first['msg']}") from error


def _from_table(name: str) -> dict[str, Any]:
    folder, _, organ = name.rpartition("/")
    path = CONFIGURATIONS / f"{folder or 'slice'}.yaml"
    table = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    organs = table.get("organs", {})
    if organ not in organs:
        known = ", ".join(sorted(organs)) or "none"
        raise ValueError(f"no configuration {name!r}; organs of {path.stem}: {known}")
    own: dict[str, Any] = {"name": organ, "organs": [organ]}
    return own | table["defaults"] | (organs[organ] or {})
