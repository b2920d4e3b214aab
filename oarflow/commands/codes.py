"""`oarflow codes`: every reason code and every flag, with its meaning and what to do."""

from __future__ import annotations

import argparse
import sys

from oarflow.errors import ExitStatus
from oarflow.flags.page import flags_page
from oarflow.run.codes import page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    add = parser.add_argument
    add("--flags", action="store_true", help="list the flags instead of the reason codes")
    add("--markdown", action="store_true", help="print Markdown, as in docs/reference")


def run(flags: argparse.Namespace) -> int:
    """Print the table. Returns the exit status."""
    if flags.markdown:
        sys.stdout.write(flags_page() if flags.flags else page())
    else:
        from oarflow.run.table import print_codes, print_flags

        (print_flags if flags.flags else print_codes)(sys.stdout)
    return ExitStatus.WRITTEN
