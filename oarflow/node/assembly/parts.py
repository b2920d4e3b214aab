"""What the node is made of: parts that start, stop, and say whether they work.

`oarflow.node.delivery`, `oarflow.node.web` and `oarflow.node.housekeeping` each have a function
`part(context: Context) -> Part`; the node starts what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from oarflow.node.database import Database
from oarflow.node.settings import NodeSettings


class Part(Protocol):
    """One part. It works by the database alone: parts do not call each other."""

    @property
    def name(self) -> str: ...

    def start(self) -> None:
        """Begin, in threads of its own. Raises ConfigurationError where it cannot."""

    def stop(self) -> None:
        """Stop; back when everything it had in hand is put down safely."""

    def trouble(self) -> str | None:
        """What is wrong, in words for a person; None while it works."""


@dataclass(frozen=True)
class NodeContext:
    """What every part is given. health: the trouble of every part of the node, by its name."""

    settings: NodeSettings
    database: Database
    health: Callable[[], Mapping[str, str | None]]
