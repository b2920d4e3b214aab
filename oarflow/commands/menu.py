"""The menu of commands below a verb, and how each of them ends."""

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
    "train": ("oarflow.training", "SimpleITK", "skimage", "matplotlib", "monai"),
}
"""By extra of the wheel: what its commands import, which an image may lack as well."""


def menu_of(
    parser: argparse.ArgumentParser, *, required: bool = True
) -> Callable[..., argparse.ArgumentParser]:
    """Give a verb commands of its own: call the result with a name, help and parents for each."""
    commands = parser.add_subparsers(dest="command", required=required, metavar="COMMAND")

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
    """Raises ConfigurationError (EXTRA) where a package of an extra is not installed."""
    for package in EXTRAS[extra]:
        if importlib.util.find_spec(package) is None:
            raise ConfigurationError(
                "EXTRA", f"{package} is not installed; pip install 'oarflow[{extra}]' brings it"
            )


def carry_out(work: Callable[[], int | None]) -> int:
    """Do a command's work, which may return its exit status; log plainly.

    An input that cannot be used (OSError, ValueError, KeyError, ReadError) ends with one line and
    exit status 3.
    """
    from oarflow.rtstruct.errors import ReadError

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return work() or ExitStatus.WRITTEN
    except (OSError, ValueError, KeyError, ReadError) as error:
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        sys.stderr.write(f"oarflow: {said}\n")
        return ExitStatus.REFUSED
