"""What the commands of `oarflow data` do."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.derived.corrections import TABLE, Corrections
from oarflow.datasets.derived.derive import derive_all, summary
from oarflow.datasets.derived.sheets import write_every_third, write_sheets
from oarflow.datasets.derived.store import read_labels
from oarflow.datasets.opening import open_data_set
from oarflow.datasets.openkbp import convert, load_npz
from oarflow.datasets.references import write_references
from oarflow.datasets.report import RefusedCase, never_drawn, survey, tables, text, write_report
from oarflow.datasets.resample import coarsened, resampled
from oarflow.errors import ExitStatus
from oarflow.organs import load_catalogue

LOGGER = logging.getLogger("oarflow.datasets")


def openkbp(flags: argparse.Namespace) -> None:
    """OpenKBP's CSV files as npz."""
    written = convert(flags.csv, flags.output)
    LOGGER.info("%d patients in %s", len(written), flags.output)


def dicom(flags: argparse.Namespace) -> None:
    """A case as a CT series, with its references as an RTSTRUCT where it has any."""
    case = _case(flags.case, flags.output)
    if flags.crop and case.body is not None:
        used = np.flatnonzero(case.body.any(axis=(1, 2)))
        case = case.cropped(int(used[0]), int(used[-1]))
    files = write_ct(case, flags.output / "ct", flags.position)
    organs: tuple[str, ...] = ()
    if any(case.masks[organ].any() for organ in case.masks):
        organs = write_references(case, flags.output / "ct", flags.output / "reference.dcm")
    LOGGER.info("%d slices; contours: %s", len(files), ", ".join(organs) or "none")


def _case(source: Path, out: Path) -> Case:
    if not source.is_dir():
        return load_npz(source)
    out.mkdir(parents=True, exist_ok=True)
    (converted,) = convert(source, out)
    return load_npz(converted)


def resample(flags: argparse.Namespace) -> None:
    """A CT on another matrix."""
    case = resampled(flags.ct, flags.matrix, flags.slices)
    write_ct(case, flags.output)
    LOGGER.info("%d slices, spacing (z, y, x) %s mm", len(case.ct), case.spacing_zyx)


def report(flags: argparse.Namespace) -> ExitStatus:
    """A data set on one page. Returns 4 where cases could not be read."""
    catalogue = load_catalogue(flags.models)
    cases = open_data_set(flags.data, catalogue)
    found, refused = survey(cases, catalogue, workers=flags.workers)
    left_out: Mapping[str, str] = getattr(cases, "left_out", {})
    refused += tuple(RefusedCase(name, why) for name, why in left_out.items())
    shown = tables(found, refused, catalogue)
    title = f"Data set report: {len(found) + len(refused)} cases"
    write_report(flags.output, title, found, shown)
    LOGGER.info("%s", text(title, shown))
    if not found:
        raise ValueError(f"none of {len(refused)} cases could be read: {refused[0].reason}")
    if empty := never_drawn(found, catalogue):
        LOGGER.warning("without a voxel in any case: %s", ", ".join(empty))
    return ExitStatus.HELD if refused else ExitStatus.WRITTEN


def derive(flags: argparse.Namespace) -> None:
    """Labels by rules, with their facts."""
    stored = open_data_set(flags.data)
    chosen = flags.patients or list(stored)
    if unknown := [name for name in chosen if name not in stored]:
        raise ValueError(f"no {', '.join(unknown)} in {flags.data}")

    def case(name: str) -> Case:
        return coarsened(stored[name], tuple(flags.spacing)) if flags.spacing else stored[name]

    table = Corrections.read(flags.table or TABLE)
    facts = derive_all(map(case, chosen), flags.output, table)
    LOGGER.info("%s", summary(facts))
    if flags.sheets:
        sheets = write_sheets(map(case, chosen), flags.output)
        for name in sorted(table.checked.patients & set(chosen)):
            labels = read_labels(flags.output / f"{name}.npz")
            path = flags.output / f"every_third_{name}.png"
            sheets.append(write_every_third(case(name), labels, path))
        LOGGER.info("%d sheets in %s", len(sheets), flags.output)


COMMANDS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    "openkbp": openkbp,
    "dicom": dicom,
    "resample": resample,
    "report": report,
    "derive": derive,
}
"""By name; None or an exit status. oarflow/commands/data.py has their flags."""
