"""Flags that several verbs share."""

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
    """-m: the networks, and the catalogue of organs beside them.

    names_only: whether the command reads the catalogue alone (see `find_models`).
    """
    parser.add_argument("-m", "--models", type=Path, metavar="DIR", required=required, help=about)
    parser.set_defaults(names_only=names_only)


def find_models(flags: argparse.Namespace) -> None:
    """Put the models folder in force into the flags of a command that takes one.

    It is looked for where `oarflow segment` looks. Raises ConfigurationError NO_MODELS, but not
    where none is named and the command wants names alone: then the program's catalogue counts.
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
    """-o: where a command writes."""
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
        help="one setting, such as contours.tolerance_mm=0.05; may be given again",
    )


def profiles() -> str:
    """Names of the shipped profiles, read without importing anything."""
    folder = PACKAGE / "rtstruct" / "profiles"
    return ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
