"""The options of the container's command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from oarflow.errors import exit_statuses
from oarflow.version import BOTH

PROGRESS = ("auto", "bar", "json", "none")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The parsed options. Raises SystemExit: 2 for an unknown option, 0 after help or version."""
    parser = argparse.ArgumentParser(
        prog="python -m app",
        description="Contour the organs at risk on a planning CT of the head and neck. "
        "For research use only.",
        epilog="The HOLOSCAN_ variables, such as HOLOSCAN_INPUT_PATH, replace missing options.\n\n"
        + exit_statuses(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-i", "--input", type=Path, metavar="IN", help="folder with the CT's DICOM files")
    add("-o", "--output", type=Path, metavar="OUT", help="output folder, empty or new")
    add(
        "-m",
        "--model",
        "--models",
        dest="models",
        type=Path,
        metavar="MODELS",
        help="folder with one folder per network",
    )
    add("-c", "--config", type=Path, metavar="FILE", help="settings (app.yaml)")
    add(
        "--templates",
        metavar="DIR",
        help="folder of templates, or: shipped, none",
    )
    add(
        "--context",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for templates, such as calling_ae=CT1; repeatable",
    )
    add(
        "--each-study",
        action="store_true",
        help="contour every study, each into its own folder in OUT",
    )
    add(
        "--progress",
        choices=PROGRESS,
        default="auto",
        help="progress on standard error: a bar, JSON lines, or none; auto: a bar at a terminal",
    )
    add(
        "--quiet",
        action="store_true",
        help="print no table at the end; a refusal or a fault is one line on standard error, "
        "except with --progress json or none",
    )
    add(
        "--debug",
        action="store_true",
        help="for developers: log full tracebacks and the places of library warnings, without "
        "texts that may quote a header",
    )
    add(
        "--self-test",
        action="store_true",
        help="contour the bundled sample, compare with the expected result and exit: 0 passed, "
        "1 failed; with -o, the record is self-test.json in OUT",
    )
    add("--print-config", action="store_true", help="print the settings in use and exit")
    add("--explain-codes", action="store_true", help="print all reason codes and exit")
    add("--version", action="version", version=BOTH)
    return parser.parse_args(argv)
