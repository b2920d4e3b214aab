"""`oarflow report OUT --ct CT`: the report of a finished run."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from oarflow.commands.flags import add_models
from oarflow.errors import ConfigurationError, ExitStatus

if TYPE_CHECKING:
    from oarflow.report.content import Report
    from oarflow.result import ResultDocument

EPILOG = """A report shows the contours on the CT, so it needs the CT that the run read. The report
of a run without contours needs no --ct. The run's result.json does not change."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("run", type=Path, metavar="OUT", help="output folder of a run: result.json and RTSTRUCT")
    add(
        "--ct",
        type=Path,
        nargs="+",
        default=[],
        metavar="CT",
        help="folders or zip archives that the run read",
    )
    add("--pdf", action="store_true", help="write report.pdf instead of report.html")
    add(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the report's file (default: report.html or report.pdf in OUT)",
    )
    add_models(parser)


def run(flags: argparse.Namespace) -> int:
    """Write the report. Returns the exit status. Raises ConfigurationError, Refusal."""
    from oarflow.run.environment import configure_logging, prepare

    prepare()
    configure_logging()
    from oarflow.run.finished import read_result, without_reports

    result = without_reports(read_result(flags.run))
    target = flags.output or flags.run / ("report.pdf" if flags.pdf else "report.html")
    if target.exists():
        raise ConfigurationError("OUTPUT_IN_USE", f"{target} already exists: name another file")
    report = _report(flags, result)
    if flags.pdf:
        from oarflow.report.pdf import write_pdf as write
    else:
        from oarflow.report.page import write_report as write
    try:
        write(target, report)
    except OSError as error:
        raise ConfigurationError(
            "OUTPUT_NOT_WRITABLE", f"{target} cannot be written: {error.strerror}"
        ) from error
    sys.stdout.write(f"report: {target.resolve()}\n")
    return ExitStatus.WRITTEN


def _report(flags: argparse.Namespace, result: ResultDocument) -> Report:
    from oarflow.intake.archive import is_zip, unpacked
    from oarflow.networks.cards import read_cards
    from oarflow.organs import load_catalogue
    from oarflow.report.content import make_report, validation_figures
    from oarflow.run.finished import read_contours, read_ct
    from oarflow.run.paths import models_path

    models = models_path(flags.models, os.environ)
    figures = validation_figures(read_cards(models).values(), result.organs)
    if not any(item.kind == "RTSTRUCT" for item in result.outputs):
        return make_report(result, figures=figures)
    if not flags.ct:
        raise ConfigurationError(
            "USAGE", "name the CT with --ct: the report shows the contours on it"
        )
    for path in flags.ct:
        if not path.is_dir() and not is_zip(path):
            raise ConfigurationError("NO_INPUT", f"CT {path} is neither a folder nor a zip archive")
    structures = read_contours(flags.run, result, load_catalogue(models))
    with tempfile.TemporaryDirectory(prefix="oarflow-report-") as room:
        volume = read_ct(unpacked(flags.ct, Path(room)), result)
        return make_report(result, volume, structures, figures)
