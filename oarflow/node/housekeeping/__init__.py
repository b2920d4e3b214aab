"""Deletes what has served its time: never before it was delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oarflow.node.parts import Context, Part


def part(context: Context) -> Part:
    """The part that keeps house."""
    # The settings need this package before there are settings to work with.
    from oarflow.node.housekeeping.keeper import Housekeeper

    return Housekeeper(context)
