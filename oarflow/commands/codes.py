"""`oarflow codes`: every reason code, what it means and what to do."""

from __future__ import annotations

import argparse
import sys

from oarflow.errors import ExitStatus


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument("--markdown", action="store_true", help="as docs/reason-codes.md has them")


def run(flags: argparse.Namespace) -> int:
    """Print the table. Returns the exit status."""
    if flags.markdown:
        from oarflow.run.codes import page

        sys.stdout.write(page())
    else:
        from oarflow.run.table import print_codes

        print_codes(sys.stdout)
    return ExitStatus.WRITTEN
