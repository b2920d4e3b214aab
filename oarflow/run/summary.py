"""The end of a run: the worst exit status, tables of results and paths of reports."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from oarflow.errors import ExitStatus
from oarflow.result import ResultDocument

_SEVERITY = (ExitStatus.WRITTEN, ExitStatus.HELD, ExitStatus.REFUSED, ExitStatus.FAULT)
"""Exit statuses of studies, the worst last."""


def worst_status(documents: Iterable[ResultDocument]) -> ExitStatus:
    """The worst exit status of several studies."""
    statuses = (ExitStatus(document.exit_status) for document in documents)
    return max(statuses, key=_SEVERITY.index)


def print_results(documents: Mapping[Path, ResultDocument], out: Path) -> None:
    """Print a table for each study, and the paths of the results and of the reports.

    documents: by the folder of their files. out: the run's output folder.
    """
    from oarflow.run.table import print_result

    for document in documents.values():
        print_result(document, sys.stdout)
    sys.stdout.write(f"results: {out}\n")
    for folder, document in documents.items():
        for output in document.outputs:
            if output.kind in ("REPORT_HTML", "REPORT_PDF"):
                sys.stdout.write(f"report: {folder / output.path}\n")


def print_troubles(documents: Iterable[ResultDocument]) -> None:
    """Print a line on standard error for each study without contours."""
    from oarflow.run.table import print_trouble

    for document in documents:
        print_trouble(document, sys.stderr)
