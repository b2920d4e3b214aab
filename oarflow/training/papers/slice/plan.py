"""What SLICE's experiment consists of: its settings, its units, and who is in which part."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from oarflow.training.configuration import Configuration, read_configuration
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.data_set import OPENKBP_NAME, TrainingData

Approach = Literal["sliced", "full"]
Part = Literal["fit", "tune", "test"]

PARTS: tuple[Part, ...] = ("fit", "tune", "test")
APPROACHES: tuple[Approach, ...] = ("sliced", "full")
BACKBONES = ("resnet34", "seresnet34", "resnext50")
DROPOUT = "resnet34_dropout"
"""The dropout variant, beside the backbones: ResNet34 with 50 % in it and 20 % after it."""

TABLE = "slice_compact"
WHOLE_SLICE_MM = 500.0
TUNE_SHARE = TEST_SHARE = 0.15


@dataclass(frozen=True)
class ExperimentSettings:
    """patients: so many of each organ, 0 for all that have it. steps: of each network."""

    organs: tuple[str, ...]
    backbones: tuple[str, ...] = BACKBONES
    patients: int = 60
    steps: int = 1500
    seed: int = 1

    def folder(self, work: Path, data: str) -> Path:
        """Where results lie: those of other settings or data elsewhere, so that they never mix.

        A folder without the data's name holds OpenKBP's results and is used for them.
        """
        key = f"{self.patients}-patients-{self.steps}-steps-seed-{self.seed}"
        first = work / f"slice-{key}"
        if data == OPENKBP_NAME and first.is_dir():
            return first
        short = re.sub("[^a-z0-9]+", "-", data.lower())[:24].strip("-")
        digest = hashlib.sha256(data.encode()).hexdigest()[:6]
        return work / f"slice-{short}-{digest}-{key}"

    def units(self) -> Iterator[Unit]:
        """All networks, organ by organ, the sliced and the full one side by side."""
        for organ in self.organs:
            for backbone in self.backbones:
                for approach in APPROACHES:
                    yield Unit(organ, backbone, approach)


@dataclass(frozen=True)
class Unit:
    """One network to train and measure."""

    organ: str
    backbone: str
    approach: Approach

    @property
    def name(self) -> str:
        return f"{self.organ}-{self.backbone}-{self.approach}"

    def configuration(self, settings: ExperimentSettings) -> Configuration:
        """The shipped compact one; the full-slice baseline differs in its patch alone."""
        changes: dict[str, Any] = {
            "name": self.name,
            "steps": settings.steps,
            "seed": settings.seed,
            **backbone_changes(self.backbone),
        }
        if self.approach == "full":
            changes |= {"region": "slice", "patch_mm": [0, WHOLE_SLICE_MM, WHOLE_SLICE_MM]}
        return read_configuration(f"{TABLE}/{self.organ}", **changes)


def backbone_changes(name: str) -> dict[str, Any]:
    """What one of BACKBONES, or DROPOUT, is in a configuration."""
    dropouts = {"encoder_dropout": 0.5, "decoder_dropout": 0.2} if name == DROPOUT else {}
    return {"backbone": name.removesuffix("_dropout"), **dropouts}


def parts(patients: Iterable[str], seed: int, count: int) -> dict[Part, tuple[str, ...]]:
    """70/15/15 by patient, of the first `count` (0: all) in an order that the seed shuffles.

    Raises ValueError where a part would be empty.
    """
    ordered = sorted(patients)
    order = [ordered[k] for k in np.random.default_rng(seed).permutation(len(ordered))]
    order = order[:count] if count else order
    tune, test = round(len(order) * TUNE_SHARE), round(len(order) * TEST_SHARE)
    if not tune or not test:
        raise ValueError(f"{len(order)} patients are too few to split 70/15/15")
    return {
        "test": tuple(order[:test]),
        "tune": tuple(order[test : test + tune]),
        "fit": tuple(order[test + tune :]),
    }


def read_parts(
    data: TrainingData, organ: str, settings: ExperimentSettings, scratch: Path
) -> dict[Part, list[TrainingCase]]:
    """The organ's patients, its label alone, the same for every network of the organ.

    Their images wait in a nameless file in `scratch`.
    Patients come from the split's fit and tune parts, without the labels that it leaves out.
    """
    chosen = parts(data.labelled(organ), settings.seed, settings.patients)
    return {part: data.keep(patients, scratch, organ=organ) for part, patients in chosen.items()}
