"""Commands: `python -m oarflow.datasets openkbp | dicom | resample | report | derive`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from oarflow.console import outlive_readers
from oarflow.datasets.as_dicom import PatientPosition, write_ct
from oarflow.datasets.cases import Case
from oarflow.datasets.derived.corrections import TABLE, Corrections
from oarflow.datasets.derived.derive import derive_all, summary
from oarflow.datasets.derived.sheets import write_every_third, write_sheets
from oarflow.datasets.derived.store import read_labels
from oarflow.datasets.opening import open_data_set
from oarflow.datasets.openkbp import convert, load_npz
from oarflow.datasets.references import write_references
from oarflow.datasets.report import Refused, never_drawn, survey, tables, text, write_report
from oarflow.datasets.resample import coarsened, resampled
from oarflow.errors import Refusal
from oarflow.organs import load_catalogue
from oarflow.rtstruct.errors import ReadError

LOGGER = logging.getLogger("oarflow.datasets")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, or 1 where the data cannot be used (2: wrong flags)."""
    outlive_readers()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    flags = _parser().parse_args(argv)
    try:
        flags.run(flags)
    except (OSError, ValueError, KeyError, Refusal, ReadError) as error:
        LOGGER.error("%s", error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m oarflow.datasets", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    openkbp = commands.add_parser("openkbp", help="OpenKBP as published (CSV) to npz")
    openkbp.add_argument("csv_dir", type=Path, help="one patient's folder, or a folder of pt_N")
    openkbp.add_argument("out_dir", type=Path, help="where pt_N.npz go")
    openkbp.set_defaults(run=_openkbp)

    dicom = commands.add_parser("dicom", help="a case as DICOM CT series and reference RTSTRUCT")
    dicom.add_argument("case", type=Path, help="pt_N.npz, or a published patient's folder")
    dicom.add_argument("out", type=Path, help="folder for ct/ and reference.dcm")
    dicom.add_argument("--position", choices=[p.value for p in PatientPosition], default="HFS")
    dicom.add_argument(
        "--crop", action="store_true", help="leave out slices where nothing was published"
    )
    dicom.set_defaults(run=_dicom)

    resample = commands.add_parser("resample", help="a CT on another matrix")
    resample.add_argument("ct_dir", type=Path, help="folder of a CT series")
    resample.add_argument("out", type=Path, help="folder for the new series, empty or new")
    resample.add_argument("--matrix", type=int, default=512, help="rows and columns")
    resample.add_argument("--slices", type=int, default=186)
    resample.set_defaults(run=_resample)

    report = commands.add_parser("report", help="a data set on one page")
    report.add_argument("data", type=Path, help="a folder of patients in any layout that is known")
    report.add_argument("--output", type=Path, required=True, help="folder for the report")
    report.add_argument("--models", type=Path, help="for the organs' other names (default: ours)")
    report.add_argument("--workers", type=int, default=2, help="cases read at the same time")
    report.set_defaults(run=_report)

    derive = commands.add_parser("derive", help="labels that no one drew, by rules")
    derive.add_argument("--data", type=Path, required=True, help="folder of patients, any layout")
    derive.add_argument("--output", type=Path, required=True, help="folder for labels and facts")
    derive.add_argument("--patients", nargs="+", help="only these, such as pt_1 (default: all)")
    derive.add_argument("--table", type=Path, default=TABLE, help="exclusions and corrections")
    derive.add_argument(
        "--spacing",
        type=float,
        nargs=3,
        metavar=("Z", "Y", "X"),
        help="first bring the CTs to voxels of about so many mm; the rules are OpenKBP's, 3 4 4",
    )
    derive.add_argument("--sheets", action="store_true", help="contact sheets to look at, as well")
    derive.set_defaults(run=_derive)
    return parser


def _openkbp(flags: argparse.Namespace) -> None:
    written = convert(flags.csv_dir, flags.out_dir)
    LOGGER.info("%d patients in %s", len(written), flags.out_dir)


def _dicom(flags: argparse.Namespace) -> None:
    case = _case(flags.case, flags.out)
    if flags.crop and case.body is not None:
        used = np.flatnonzero(case.body.any(axis=(1, 2)))
        case = case.cropped(int(used[0]), int(used[-1]))
    files = write_ct(case, flags.out / "ct", flags.position)
    organs: tuple[str, ...] = ()
    if any(case.masks[organ].any() for organ in case.masks):
        organs = write_references(case, flags.out / "ct", flags.out / "reference.dcm")
    LOGGER.info("%d slices; contours: %s", len(files), ", ".join(organs) or "none")


def _case(source: Path, out: Path) -> Case:
    if not source.is_dir():
        return load_npz(source)
    out.mkdir(parents=True, exist_ok=True)
    (converted,) = convert(source, out)
    return load_npz(converted)


def _resample(flags: argparse.Namespace) -> None:
    case = resampled(flags.ct_dir, flags.matrix, flags.slices)
    write_ct(case, flags.out)
    LOGGER.info("%d slices, spacing (z, y, x) %s mm", len(case.ct), case.spacing_zyx)


def _report(flags: argparse.Namespace) -> None:
    catalogue = load_catalogue(flags.models)
    cases = open_data_set(flags.data, catalogue)
    found, refused = survey(cases, catalogue, workers=flags.workers)
    left_out: Mapping[str, str] = getattr(cases, "left_out", {})
    refused += tuple(Refused(name, why) for name, why in left_out.items())
    shown = tables(found, refused, catalogue)
    title = f"Data set report: {len(found) + len(refused)} cases"
    write_report(flags.output, title, found, shown)
    LOGGER.info("%s", text(title, shown))
    if not found:
        raise ValueError(f"none of {len(refused)} cases could be read: {refused[0].reason}")
    if empty := never_drawn(found, catalogue):
        LOGGER.warning("without a voxel in any case: %s", ", ".join(empty))


def _derive(flags: argparse.Namespace) -> None:
    stored = open_data_set(flags.data)
    chosen = flags.patients or list(stored)
    if unknown := [name for name in chosen if name not in stored]:
        raise ValueError(f"no {', '.join(unknown)} in {flags.data}")

    def case(name: str) -> Case:
        return coarsened(stored[name], tuple(flags.spacing)) if flags.spacing else stored[name]

    table = Corrections.read(flags.table)
    facts = derive_all(map(case, chosen), flags.output, table)
    LOGGER.info("%s", summary(facts))
    if flags.sheets:
        sheets = write_sheets(map(case, chosen), flags.output)
        for name in sorted(table.checked.patients & set(chosen)):
            labels = read_labels(flags.output / f"{name}.npz")
            path = flags.output / f"every_third_{name}.png"
            sheets.append(write_every_third(case(name), labels, path))
        LOGGER.info("%d sheets in %s", len(sheets), flags.output)


if __name__ == "__main__":
    sys.exit(main())
