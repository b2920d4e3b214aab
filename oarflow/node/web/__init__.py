"""The web page: studies with live state, search, the report inside, and what a person can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oarflow.node.parts import Context, Part


def part(context: Context) -> Part | None:
    """The part that serves the page; None where it is switched off."""
    if not context.settings.web.enabled:
        return None
    # The settings need this package before there are settings to work with.
    from oarflow.node.web.server import WebServer

    return WebServer(context)
