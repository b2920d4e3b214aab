"""Flags that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path

from oarflow.locations import PACKAGE

PROGRESS = ("auto", "bar", "json", "none")
DEVICES = ("auto", "cuda", "cpu")


def add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-m", "--models", type=Path, metavar="DIR", help="networks (default: those installed)"
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="settings (default: the shipped app.yaml)"
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
