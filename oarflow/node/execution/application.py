"""Command lines of the application: to contour, and for what it says about itself."""

from __future__ import annotations

import sys
from pathlib import Path

from oarflow.locations import ROOT, has_application

IN_GRAPH = ("{python}", "-m", "app")
"""The MONAI Deploy application, in a checkout and in the image."""

IN_IMAGE = ("{python}", "/opt/holoscan/app")
"""The same in the image, as deploy/node names it."""

BY_VERB = ("{python}", "-m", "oarflow", "segment")
"""The application without MONAI Deploy, in the wheel."""

WARM = ("{python}", "-m", "oarflow.commands.warm_segment")
"""The verb in a warm process: the same program for the graph too, which writes the same bytes."""

_SHOWN = ("--progress", "json", "--quiet")


def default_command(root: Path = ROOT) -> tuple[str, ...]:
    """The command that contours one study, with placeholders. root: the package's parent folder."""
    output = ("-o", "{output}", "-m", "{models}", *_SHOWN)
    if has_application(root):
        return (*IN_GRAPH, "-i", "{input}", *output)
    return (*BY_VERB, "{input}", *output)


def interpreter() -> str:
    """The Python that {python} stands for."""
    return sys.executable


def asks_version(command: tuple[str, ...]) -> tuple[str, ...] | None:
    """The command that prints the version; None for a command of the site."""
    module = _module(command)
    return None if module is None else (interpreter(), "-m", module, "--version")


def asks_settings(command: tuple[str, ...], config: Path | None) -> tuple[str, ...] | None:
    """The command that prints the settings in force; None for a command of the site."""
    module = _module(command)
    if module is None:
        return None
    ask = "--print-config" if module == IN_GRAPH[-1] else "config"
    file = () if config is None else ("--config", str(config.absolute()))
    return (interpreter(), "-m", module, ask, *file)


def asks_templates(
    command: tuple[str, ...], config: Path | None, models: Path, templates: Path
) -> tuple[str, ...] | None:
    """The command that checks and lists templates; None for a command of the site."""
    if _module(command) is None:
        return None
    file = () if config is None else ("--config", str(config.absolute()))
    folders = ("--models", str(models.absolute()), "--templates", str(templates))
    return (interpreter(), "-m", BY_VERB[2], "config", "templates", *folders, *file)


def is_own(command: tuple[str, ...]) -> bool:
    """Whether the command starts this program, not one of the site."""
    return _module(command) is not None


def warm_arguments(command: tuple[str, ...]) -> tuple[str, ...] | None:
    """The order to a warm process that does what the command does; None if none does.

    None for a command of the site, and for options that only the graph has.
    """
    if any(part.partition("=")[0] == "--model" for part in command):
        return None
    if command[: len(BY_VERB)] == BY_VERB:
        return command[len(BY_VERB) - 1 :]
    for graph in (IN_GRAPH, IN_IMAGE):
        options = command[len(graph) :]
        if command[: len(graph)] == graph and options[:1] == ("-i",):
            return (BY_VERB[-1], *options[1:])
    return None


def asks_networks(
    command: tuple[str, ...], models: Path, config: Path | None
) -> tuple[str, ...] | None:
    """The command that prints the networks as JSON; None for a command of the site."""
    if _module(command) is None:
        return None
    file = () if config is None else ("--config", str(config.absolute()))
    folder = ("--models", str(models.absolute()))
    return (interpreter(), "-m", BY_VERB[2], "models", "--json", *folder, *file)


def _module(command: tuple[str, ...]) -> str | None:
    """The module that the command starts: `app` or `oarflow`; None for a command of the site."""
    if command[: len(IN_IMAGE)] == IN_IMAGE:
        return IN_GRAPH[-1]
    for known in (IN_GRAPH, BY_VERB):
        if command[: len(known)] == known:
            return known[2]
    return None
