"""Command-line options that several verbs share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.locations import PACKAGE

PROGRESS = ("auto", "bar", "json", "none")
DEVICES = ("auto", "cuda", "cpu")


def add_models(
    parser: argparse.ArgumentParser,
    about: str = "networks (default: those installed)",
    *,
    names_only: bool = False,
    required: bool = False,
) -> None:
    """-m: the models folder, with networks and catalogue.

    names_only: whether the command reads only the catalogue (see `find_models`).
    """
    parser.add_argument("-m", "--models", type=Path, metavar="DIR", required=required, help=about)
    parser.set_defaults(names_only=names_only)


def find_models(flags: argparse.Namespace) -> None:
    """Set the models folder of a command that takes one, as `oarflow segment` finds it.

    Raises ConfigurationError NO_MODELS, except for a command that reads only the catalogue and for
    which no folder is named: it uses the program's own catalogue.
    """
    from oarflow.run.paths import models_path

    if not hasattr(flags, "models"):
        return
    try:
        flags.models = models_path(flags.models, os.environ)
    except ConfigurationError:
        if flags.models is not None or not flags.names_only:
            raise


def add_config(
    parser: argparse.ArgumentParser, about: str = "settings (default: the shipped app.yaml)"
) -> None:
    """-c: a settings file."""
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help=about)


def add_output(
    parser: argparse.ArgumentParser,
    about: str,
    *,
    default: Path | None = None,
    required: bool = False,
) -> None:
    """-o: the output."""
    parser.add_argument(
        "-o", "--output", type=Path, metavar="PATH", default=default, required=required, help=about
    )


def add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        metavar="KEY=VALUE",
        help="change one setting, such as contours.tolerance_mm=0.05; may be repeated",
    )


def add_templates(parser: argparse.ArgumentParser) -> None:
    """--templates and --context: which templates there are, and what their rules read."""
    parser.add_argument(
        "--templates",
        metavar="DIR",
        help="folder of templates, or: shipped, none",
    )
    parser.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value for template rules: calling_ae=CT1; repeatable",
    )


def profiles() -> str:
    """Names of the shipped profiles, found without heavy imports."""
    folder = PACKAGE / "rtstruct" / "profiles"
    return ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
