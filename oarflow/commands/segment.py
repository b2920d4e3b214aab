"""`oarflow segment CT -o OUT`: contour a planning CT in this process, without MONAI Deploy."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oarflow.commands.flags import (
    DEVICES,
    PROGRESS,
    add_config,
    add_models,
    add_set,
    add_templates,
    profiles,
)
from oarflow.errors import ConfigurationError, exit_statuses

if TYPE_CHECKING:
    from oarflow.run.layers import SettingsLayers
    from oarflow.run.paths import Paths

_REPORT = "outputs.report_html"
_REPORTS = (_REPORT, "outputs.report_pdf", "outputs.report_dicom")
_REPORT_KEYS = (_REPORT, "outputs")
"""Settings on which report.html depends."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.epilog = exit_statuses()
    add = parser.add_argument
    add("ct", type=Path, nargs="+", metavar="CT", help="folders or zip archives with one CT")
    add(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        required=True,
        help="output folder, empty or new",
    )
    add("--organs", metavar="NAMES", help="organs, such as Parotid_L,Parotid_R (default: all)")
    add(
        "--report",
        action=argparse.BooleanOptionalAction,
        help="write report.html (default: only at a terminal)",
    )
    add("--seg", action="store_true", help="also write a DICOM SEG")
    add("--profile", metavar="NAME", help=f"planning system: {profiles()}")
    add_models(parser)
    add_config(parser)
    add_set(parser)
    add_templates(parser)
    add("--device", choices=DEVICES, help="device for the networks")
    add(
        "--each-study",
        action="store_true",
        help="contour every study, each into its own folder in OUT",
    )
    add(
        "--progress",
        choices=PROGRESS,
        default="auto",
        help="progress on standard error (default: auto)",
    )
    add("--quiet", action="store_true", help="print no table and no paths at the end")
    add("--debug", action="store_true", help="for developers: log tracebacks without error texts")


def run(flags: argparse.Namespace) -> int:
    """Contour the CT. Returns the exit status. Raises ConfigurationError."""
    started = time.monotonic()
    from oarflow.run.environment import configure_logging, prepare
    from oarflow.run.signals import StopOnSignal

    prepare()
    configure_logging(flags.debug)
    # Before numpy is imported: its threads must have the signals blocked too.
    with StopOnSignal() as stop:
        from oarflow.run.start import Display, contour
        from oarflow.templates.rules import context_of

        paths = paths_of(flags)
        layers = layers_of(flags, paths)
        display = Display(flags.progress, flags.quiet)
        context = context_of(flags.context)
        if not flags.each_study:
            return contour(paths, layers, stop, started, display, context=context)
        from oarflow.commands.warm_segment import program
        from oarflow.run.each_study import contour_each

        options = tuple(_options(flags, layers))
        settings = layers.settings()
        return contour_each(paths, settings, stop, display, program=program(), options=options)


def paths_of(flags: argparse.Namespace) -> Paths:
    """The folders that the options name. Raises ConfigurationError."""
    from oarflow.intake.archive import is_zip
    from oarflow.run.paths import Paths, config_path, models_path

    for path in flags.ct:
        if not path.is_dir() and not is_zip(path):
            raise ConfigurationError(
                "NO_INPUT", f"input {path} is neither a folder nor a zip archive"
            )
    return Paths(
        tuple(path.resolve() for path in flags.ct),
        flags.output.resolve(),
        models_path(flags.models, os.environ),
        config_path(flags.config, os.environ),
    )


def layers_of(flags: argparse.Namespace, paths: Paths) -> SettingsLayers:
    """The settings that the options name, in layers. Raises ConfigurationError."""
    from oarflow.locations import shipped
    from oarflow.run.layers import SettingsLayers, templates_change

    changes = [*flags.changes, *templates_change(flags.templates), *_changes(flags)]
    layers = SettingsLayers.read(paths.config, changes)
    if flags.report is not None or not sys.stdout.isatty():
        return layers
    own_file = paths.config != shipped("app.yaml")
    decided = own_file and "report_html" in layers.settings().outputs.model_fields_set
    if decided or any(change.partition("=")[0].strip() in _REPORT_KEYS for change in changes):
        return layers
    return SettingsLayers.read(paths.config, [*changes, f"{_REPORT}=true"])


def _options(flags: argparse.Namespace, layers: SettingsLayers) -> Iterator[str]:
    """The options that an order repeats."""
    yield from ("--progress", flags.progress)
    for name in ("models", "config"):
        if (path := getattr(flags, name)) is not None:
            yield from (f"--{name}", str(path))
    for change in layers.changes:
        yield from ("--set", change)
    for value in flags.context:
        yield from ("--context", value)
    if flags.debug:
        yield "--debug"


def _changes(flags: argparse.Namespace) -> Iterator[str]:
    """The options as settings, `key=value`; JSON values are valid YAML."""
    if flags.organs is not None:
        yield f"organs={json.dumps(_organs(flags.organs))}"
    if flags.profile is not None:
        yield f"profile={json.dumps(flags.profile)}"
    if flags.device is not None:
        yield f"device={flags.device}"
    if flags.seg:
        yield "outputs.seg=true"
    if flags.report:
        yield f"{_REPORT}=true"
    if flags.report is False:
        yield from (f"{key}=false" for key in _REPORTS)


def _organs(names: str) -> str | Sequence[str]:
    found = [name.strip() for name in names.split(",") if name.strip()]
    return "all" if found == ["all"] else found
