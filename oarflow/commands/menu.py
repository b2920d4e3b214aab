"""The commands below a verb, and the exit status of each."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import sys
from collections.abc import Callable

from oarflow.errors import ConfigurationError, ExitStatus

EXTRAS = {
    "node": ("oarflow.node", "sqlalchemy", "alembic", "pynetdicom", "fastapi", "distributed"),
    "evaluate": ("oarflow.evaluation", "SimpleITK", "skimage", "matplotlib"),
    "sitk": ("SimpleITK",),
    "train": ("oarflow.training", "SimpleITK", "skimage", "matplotlib", "monai"),
}
"""By extra of the wheel: the packages that its commands import."""


def menu_of(
    parser: argparse.ArgumentParser, *, required: bool = True, dest: str = "command"
) -> Callable[..., argparse.ArgumentParser]:
    """Add commands to a verb. Call the result with name, help and parents of each command.

    dest: attribute of the flags that holds the command's name.
    """
    commands = parser.add_subparsers(dest=dest, required=required, metavar=dest.upper())

    def add(
        name: str, about: str, *parents: argparse.ArgumentParser, description: str | None = None
    ) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=about,
            description=description or about[0].upper() + about[1:] + ".",
            parents=parents,
            allow_abbrev=False,
        )

    return add


def require(extra: str) -> None:
    """Raise ConfigurationError (EXTRA) where a package of an extra is not installed."""
    for package in EXTRAS[extra]:
        if importlib.util.find_spec(package) is None:
            raise ConfigurationError(
                "EXTRA", f"{package} is not installed: install OARflow with the extra [{extra}]"
            )


def carry_out(work: Callable[[], int | None]) -> int:
    """Run a command's work, which may return an exit status, with plain log lines.

    An unusable input (OSError, ValueError, KeyError, ReadError) ends with one line on standard
    error and exit status 3.
    """
    from oarflow.rtstruct.errors import ReadError

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return work() or ExitStatus.WRITTEN
    except (OSError, ValueError, KeyError, ReadError) as error:
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        sys.stderr.write(f"oarflow: {said}\n")
        return ExitStatus.REFUSED
