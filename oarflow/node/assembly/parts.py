"""The interface of the node's parts: they start, stop, and report their trouble."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from oarflow.node.database import Database
from oarflow.node.settings import NodeSettings


class Part(Protocol):
    """A part of the node. Parts do not call each other; they meet in the database."""

    @property
    def name(self) -> str: ...

    def start(self) -> None:
        """Start the part's threads. Raises ConfigurationError."""

    def stop(self) -> None:
        """Stop, and return when the work under way is in a safe state."""

    def trouble(self) -> str | None:
        """What is wrong, for a person; None while the part works."""


@dataclass(frozen=True)
class NodeContext:
    """What every part gets. health: the trouble of every part of the node, by its name."""

    settings: NodeSettings
    database: Database
    health: Callable[[], Mapping[str, str | None]]
