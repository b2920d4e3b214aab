"""From a finished job to its destinations: by rules, again and again, each object once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oarflow.node.parts import Context, Part


def part(context: Context) -> Part:
    """The part that delivers."""
    # The settings need this package before there are settings to work with.
    from oarflow.node.delivery.courier import Courier

    return Courier(context)
