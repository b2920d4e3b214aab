"""The command line: `oarflow VERB`. Each verb has a module, which is imported on use.

A verb's module has `add_arguments(parser)` and `run(flags) -> exit status`. It imports heavy
packages inside `run`, so that `--help` and completion stay fast.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, cast

from oarflow.console import ignore_closed_pipes
from oarflow.errors import ConfigurationError, ExitStatus, Fault, Refusal
from oarflow.version import BOTH

VERBS = {
    "segment": "contour the organs at risk on a planning CT",
    "report": "write the report of a finished run",
    "lint": "find and explain defects in an RTSTRUCT of any vendor",
    "organs": "list the organs: names, networks, accuracy",
    "models": "list, verify and describe networks",
    "self-test": "contour the sample and compare with the expected result",
    "codes": "list every reason code and what to do",
    "config": "print the settings in use",
    "node": "run and manage the DICOM node",
    "data": "read, convert and describe data sets",
    "train": "train and export networks",
    "evaluate": "compare contours, and measure the whole chain",
    "commission": "measure accuracy on a clinic's own patients and sign the record",
    "completion": "print the shell's completion script",
}
"""Every verb, in the order of the menu."""

EPILOG = """exit status:
  0  done
  1  the program failed, or a check found a problem
  2  wrong usage or configuration
  3  the input cannot be used; the reason is printed
  4  done, but a person must check: contours are held, or some cases could not be read

For research use only. `oarflow VERB --help` explains a verb."""


_STATUSES: dict[type[Exception], ExitStatus] = {
    ConfigurationError: ExitStatus.USAGE,
    Refusal: ExitStatus.REFUSED,
    Fault: ExitStatus.FAULT,
}
"""Errors that end a verb with one line on standard error."""


class Verb(Protocol):
    """A verb's module."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, flags: argparse.Namespace) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb. argv: the arguments without the program's name. Returns the exit status."""
    ignore_closed_pipes()
    arguments = list(sys.argv[1:] if argv is None else argv)
    flags = parser(arguments[0] if arguments else None).parse_args(arguments)
    flags.command_line = f"oarflow {shlex.join(arguments)}"
    if flags.verb is None:
        parser().print_help()
        return ExitStatus.USAGE
    return exit_status(partial(verb(flags.verb).run, flags))


def exit_status(work: Callable[[], int]) -> int:
    """The exit status of a verb's work. Its errors end in one line on standard error."""
    try:
        return int(work())
    except tuple(_STATUSES) as error:
        code = f"{error.code}: " if isinstance(error, ConfigurationError | Refusal) else ""
        sys.stderr.write(f"oarflow: {code}{error}\n")
        return next(status for kind, status in _STATUSES.items() if isinstance(error, kind))
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED


def parser(
    complete: str | None = None, kind: type[argparse.ArgumentParser] = argparse.ArgumentParser
) -> argparse.ArgumentParser:
    """The parser of all verbs.

    complete: the verb whose options are added; "all" for every verb. kind: class of the parsers.
    """
    whole = kind(
        prog="oarflow",
        description="Contour the organs at risk on planning CTs of the head and neck.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="version", version=BOTH)
    verbs = whole.add_subparsers(dest="verb", metavar="VERB")
    for name, about in VERBS.items():
        own = verbs.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if complete in (name, "all"):
            verb(name).add_arguments(own)
    return whole


def verb(name: str) -> Verb:
    """A verb's module."""
    return cast(Verb, importlib.import_module(f"oarflow.commands.{name.replace('-', '_')}"))
