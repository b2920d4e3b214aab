"""The command line's flags."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from oarflow.errors import exit_statuses
from oarflow.version import BOTH

PROGRESS = ("auto", "bar", "json", "none")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The flags. Raises SystemExit: 2 for an unknown flag, 0 after help or version."""
    parser = argparse.ArgumentParser(
        prog="python -m app",
        description="Contour the organs at risk on a planning CT of the head and neck. "
        "For research use only.",
        epilog="Without flags, HOLOSCAN_INPUT_PATH and its like decide.\n\n" + exit_statuses(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-i", "--input", type=Path, metavar="IN", help="folder with the CT's DICOM files")
    add("-o", "--output", type=Path, metavar="OUT", help="folder for the results, empty or new")
    add(
        "-m",
        "--model",
        "--models",
        dest="models",
        type=Path,
        metavar="MODELS",
        help="folder with one folder per model",
    )
    add("-c", "--config", type=Path, metavar="FILE", help="settings (app.yaml)")
    add("--each-study", action="store_true", help="contour every study, one folder in OUT each")
    add(
        "--progress",
        choices=PROGRESS,
        default="auto",
        help="on standard error: a bar, JSON lines, or nothing; auto: a bar on a terminal",
    )
    add(
        "--quiet",
        action="store_true",
        help="no table at the end; a refusal or a fault has one line on standard error, unless "
        "--progress json or none",
    )
    add(
        "--debug",
        action="store_true",
        help="for developers: whole tracebacks, by place, and where libraries warn; texts that may "
        "quote a header are left out here, too",
    )
    add(
        "--self-test",
        action="store_true",
        help="contour the bundled sample, compare with what is expected, and end: 0 if it passed, "
        "1 if not; with -o, self-test.json in OUT is the record",
    )
    add("--print-config", action="store_true", help="print the settings in force and end")
    add("--explain-codes", action="store_true", help="print all reason codes and end")
    add("--version", action="version", version=BOTH)
    return parser.parse_args(argv)
