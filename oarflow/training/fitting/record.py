"""The record of a training in its checkpoint: configuration, data, commit of the program."""

from __future__ import annotations

import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from oarflow.errors import ConfigurationError
from oarflow.locations import PACKAGE, ROOT
from oarflow.networks.card import CLINICAL_LABELS
from oarflow.training.configuration import Configuration

OTHER_TRAINING = "OTHER_TRAINING"
"""Code of what contradicts a checkpoint."""

UNKNOWN = "unknown"
"""Stands for a commit that was not recorded."""

CHANGED = "+changes"
"""After a commit: the program's files were not as it has them."""

ENDLESS = ("constant", "plateau")
"""Schedules that do not look at the end: these trainings may be made longer."""


@dataclass(frozen=True)
class TrainingOrigin:
    """What a network learned from.

    data: a name of the data, None where none was given. cases: fitting patients that have a label
    of the network. commit: of the program; several where a training went on under another one.
    """

    data: str | None
    cases: int
    labels: str = CLINICAL_LABELS
    commit: str = UNKNOWN

    def continued(self, later: TrainingOrigin) -> TrainingOrigin:
        """The origin of a training that goes on from this one.

        Raises ConfigurationError, naming them, where data or labels differ.
        """
        differing = [
            f"{key} {mine!r}, not {other!r}"
            for key in ("data", "cases", "labels")
            if (mine := getattr(self, key)) != (other := getattr(later, key))
        ]
        if differing:
            message = f"the training began on other data: {'; '.join(differing)}"
            raise ConfigurationError(OTHER_TRAINING, message)
        commits = self.commit.split(", ")
        if later.commit not in commits:
            commits.append(later.commit)
        return TrainingOrigin(self.data, self.cases, self.labels, ", ".join(commits))


@dataclass(frozen=True)
class TrainingRecord:
    """Configuration and origin of a training. origin: None if it was not given."""

    configuration: Configuration
    origin: TrainingOrigin | None

    def entries(self) -> dict[str, Any]:
        """As a checkpoint holds them."""
        origin = None if self.origin is None else asdict(self.origin)
        return {"configuration": self.configuration.model_dump(mode="json"), "origin": origin}

    @classmethod
    def of(cls, saved: dict[str, Any]) -> TrainingRecord | None:
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
        return cls(configuration, None if origin is None else TrainingOrigin(**origin))

    def continued(
        self, configuration: Configuration, origin: TrainingOrigin | None
    ) -> TrainingRecord:
        """The record of the training that goes on with this configuration and origin.

        Raises ConfigurationError, with the keys that differ, where it would be another training.
        Only the steps may grow, and only where the learning rate does not follow them to their end.
        """
        differing = different_keys(self.configuration, configuration)
        if "steps" in differing and (
            configuration.schedule in ENDLESS and configuration.steps > self.configuration.steps
        ):
            differing.remove("steps")
        if differing:
            changes = (
                f"{key} was {getattr(self.configuration, key)!r}, not"
                f" {getattr(configuration, key)!r}"
                for key in differing
            )
            raise ConfigurationError(
                OTHER_TRAINING,
                f"{configuration.name} was started with other options: {'; '.join(changes)}."
                " Give the same options, or another --work",
            )
        known = (
            self.origin if origin is None or self.origin is None else self.origin.continued(origin)
        )
        return TrainingRecord(configuration, known)


def different_keys(first: Configuration, second: Configuration) -> list[str]:
    """Keys whose values differ. Epochs are turned into steps, and no training reads the threshold:
    neither counts."""
    keys = [key for key in type(first).model_fields if key not in ("epochs", "threshold")]
    return [key for key in keys if getattr(first, key) != getattr(second, key)]


def program_commit(root: Path = ROOT) -> str:
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
