"""What a checkpoint says of its training: configuration, data, commit; and how one is read."""

from __future__ import annotations

import pickle
import struct
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn

from oarflow.errors import ConfigurationError
from oarflow.locations import PACKAGE, ROOT
from oarflow.networks.card import CLINICAL_LABELS
from oarflow.training.configuration import Configuration

CHECKPOINT_NAME = "checkpoint.pt"

OTHER_TRAINING = "OTHER_TRAINING"
"""Code of what contradicts a checkpoint."""

UNKNOWN = "unknown"
"""Said of a commit that nobody wrote down."""

CHANGED = "+changes"
"""After a commit: the program's files were not as it has them."""


DAMAGED = (
    *(pickle.UnpicklingError, struct.error, EOFError, OSError),
    *(RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError),
)
"""What reading a file raises that is no whole checkpoint."""

ENDLESS = ("constant", "plateau")
"""Schedules that do not look at the end: these trainings may be made longer."""


@dataclass(frozen=True)
class Origin:
    """What a network learned from.

    data: a name of the data, None where nobody said one. cases: fitting patients that have a label
    of the network. commit: of the program; several where a training went on under another one.
    """

    data: str | None
    cases: int
    labels: str = CLINICAL_LABELS
    commit: str = UNKNOWN

    def then(self, later: Origin) -> Origin:
        """The same, gone on with.

        Raises ConfigurationError, naming them, where data or labels differ.
        """
        differing = [
            f"{key} {mine!r}, not {other!r}"
            for key in ("data", "cases", "labels")
            if (mine := getattr(self, key)) != (other := getattr(later, key))
        ]
        if differing:
            said = f"the training began on other data: {'; '.join(differing)}"
            raise ConfigurationError(OTHER_TRAINING, said)
        commits = self.commit.split(", ")
        if later.commit not in commits:
            commits.append(later.commit)
        return Origin(self.data, self.cases, self.labels, ", ".join(commits))


@dataclass(frozen=True)
class Record:
    """What a training wrote of itself. origin: None where it was not told."""

    configuration: Configuration
    origin: Origin | None

    def entries(self) -> dict[str, Any]:
        """As a checkpoint holds them."""
        origin = None if self.origin is None else asdict(self.origin)
        return {"configuration": self.configuration.model_dump(mode="json"), "origin": origin}

    @classmethod
    def of(cls, saved: dict[str, Any]) -> Record | None:
        """A checkpoint's record; None for one that was written before there were any.

        Raises ValueError where it is of another version of the program.
        """
        if "configuration" not in saved:
            return None
        try:
            configuration = Configuration.model_validate(saved["configuration"])
        except ValidationError as error:
            keys = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
            raise ValueError(f"the checkpoint is of another version: {keys}") from error
        origin = saved.get("origin")
        return cls(configuration, None if origin is None else Origin(**origin))

    def going_on(self, configuration: Configuration, origin: Origin | None) -> Record:
        """What the record becomes when the training goes on so.

        Raises ConfigurationError, with the keys that differ, where it would be another training.
        Only the steps may grow, and only where the learning rate does not follow them to their end.
        """
        differing = different_keys(self.configuration, configuration)
        if "steps" in differing and (
            configuration.schedule in ENDLESS and configuration.steps > self.configuration.steps
        ):
            differing.remove("steps")
        if differing:
            told = (
                f"{key} was {getattr(self.configuration, key)!r}, not"
                f" {getattr(configuration, key)!r}"
                for key in differing
            )
            raise ConfigurationError(
                OTHER_TRAINING,
                f"{configuration.name} was begun otherwise: {'; '.join(told)}. Give what it was"
                " begun with, or another --work",
            )
        known = self.origin if origin is None or self.origin is None else self.origin.then(origin)
        return Record(configuration, known)


def different_keys(first: Configuration, second: Configuration) -> list[str]:
    """Keys whose values differ. Epochs do not count: they are turned into steps."""
    keys = type(first).model_fields
    return [key for key in keys if key != "epochs" and getattr(first, key) != getattr(second, key)]


def read_checkpoint(folder: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """A folder's checkpoint.

    Raises FileNotFoundError where there is none, ValueError where it is damaged.
    """
    path = folder / CHECKPOINT_NAME
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint in {folder}: fit the network first")
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        complete = {"network", "average", "optimizer", "step", "seconds"} <= set(saved)
    except PermissionError:
        raise
    except DAMAGED:
        complete = False
    if not complete:
        raise ValueError(
            f"{path} is damaged or no checkpoint: put a copy back, or remove it and fit afresh"
        )
    return dict(saved)


def load_weights(module: nn.Module, weights: dict[str, Any], configuration: Configuration) -> None:
    """Weights into a network. Raises ConfigurationError where they are another network's."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigurationError(
            OTHER_TRAINING,
            f"the checkpoint holds another network than {configuration.name} as it is configured:"
            " give the configuration, with the same --set, that it was fitted with",
        ) from error


def commit(root: Path = ROOT) -> str:
    """The commit of the program's files, marked where they were changed since.

    `unknown` outside a repository, and in one that does not hold them.
    """
    if not _git(root, "ls-files", PACKAGE.name):
        return UNKNOWN
    head = _git(root, "rev-parse", "HEAD")
    if not head:
        return UNKNOWN
    return head + (CHANGED if _git(root, "status", "--porcelain", "--", PACKAGE.name) else "")


def _git(root: Path, *arguments: str) -> str:
    """What git prints, empty where it fails or is not there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
