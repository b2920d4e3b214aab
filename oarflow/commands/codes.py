"""`oarflow codes`: every reason code and every flag, with its meaning and what to do."""

from __future__ import annotations

import argparse
import sys

from oarflow.errors import ExitStatus


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument(
        "--flags", action="store_true", help="list the flags instead of the reason codes"
    )


def run(flags: argparse.Namespace) -> int:
    """Print the table. Returns the exit status."""
    from oarflow.run.table import print_codes, print_flags

    (print_flags if flags.flags else print_codes)(sys.stdout)
    return ExitStatus.WRITTEN
