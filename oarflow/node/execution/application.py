"""The application as the node starts it, and how to ask it for its version and its settings."""

from __future__ import annotations

import sys
from pathlib import Path

from oarflow.locations import ROOT, has_application

IN_GRAPH = ("{python}", "-m", "app")
"""The MONAI Deploy application of a checkout and of the image."""

BY_VERB = ("{python}", "-m", "oarflow", "segment")
"""The same without MONAI Deploy, as the wheel has it."""

_SHOWN = ("--progress", "json", "--quiet")


def default_command(root: Path = ROOT) -> tuple[str, ...]:
    """What contours one study, with placeholders. root: the folder that holds the package."""
    output = ("-o", "{output}", "-m", "{models}", *_SHOWN)
    if has_application(root):
        return (*IN_GRAPH, "-i", "{input}", *output)
    return (*BY_VERB, "{input}", *output)


def interpreter() -> str:
    """What {python} stands for."""
    return sys.executable


def asks_version(command: tuple[str, ...]) -> tuple[str, ...] | None:
    """The command that prints the version; None where the command is the site's own."""
    module = _module(command)
    return None if module is None else (interpreter(), "-m", module, "--version")


def asks_settings(command: tuple[str, ...], config: Path | None) -> tuple[str, ...] | None:
    """The command that prints the settings in force; None where the command is the site's own."""
    module = _module(command)
    if module is None:
        return None
    ask = "--print-config" if module == IN_GRAPH[-1] else "config"
    file = () if config is None else ("--config", str(config.absolute()))
    return (interpreter(), "-m", module, ask, *file)


def _module(command: tuple[str, ...]) -> str | None:
    """`app` or `oarflow`, whichever is started."""
    for known in (IN_GRAPH, BY_VERB):
        if command[: len(known)] == known:
            return known[2]
    return None
