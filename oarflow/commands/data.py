"""`oarflow data`: read, convert and describe data sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from oarflow.commands.flags import add_models, add_output, find_models
from oarflow.commands.menu import carry_out, menu_of, require

POSITIONS = ("HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands on data sets."""
    menu = menu_of(parser)

    openkbp = menu("openkbp", "convert OpenKBP as published (CSV) to npz")
    openkbp.add_argument("csv", type=Path, help="one patient's folder, or a folder of pt_N")
    add_output(openkbp, "folder for pt_N.npz", required=True)

    dicom = menu("dicom", "convert a case to a DICOM CT series and a reference RTSTRUCT")
    dicom.add_argument("case", type=Path, help="pt_N.npz, or a published patient's folder")
    dicom.add_argument("--position", choices=POSITIONS, default="HFS")
    crop = "leave out slices without published voxels"
    dicom.add_argument("--crop", action="store_true", help=crop)
    add_output(dicom, "folder for ct/ and reference.dcm", required=True)

    resample = menu("resample", "resample a CT to another matrix")
    resample.add_argument("ct", type=Path, help="folder of a CT series")
    resample.add_argument("--matrix", type=int, default=512, help="rows and columns")
    resample.add_argument("--slices", type=int, default=186)
    add_output(resample, "folder for the new series, empty or new", required=True)

    report = menu("report", "describe a data set on one page")
    report.add_argument("data", type=Path, help="folder of patients in a known layout")
    report.add_argument("--workers", type=int, default=2, help="cases read at the same time")
    about = "models folder with the organs' other names (default: those installed)"
    add_models(report, about, names_only=True)
    add_output(report, "folder for the report", required=True)

    _add_derive(menu("derive", "compute labels by rules"))


def _add_derive(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("data", type=Path, help="folder of patients in a known layout")
    add("--patients", nargs="+", help="only these, such as pt_1 (default: all)")
    add("--table", type=Path, help="exclusions and corrections (default: OpenKBP's)")
    add(
        "--spacing",
        type=float,
        nargs=3,
        metavar=("Z", "Y", "X"),
        help="voxel size (mm) to which the CTs are resampled first; the rules expect 3 4 4",
    )
    add("--sheets", action="store_true", help="write contact sheets too")
    add_output(parser, "folder for labels and facts", required=True)


def run(flags: argparse.Namespace) -> int:
    """Run one command. Raises ConfigurationError."""

    require("evaluate")
    from oarflow.datasets.commands import COMMANDS

    find_models(flags)
    return carry_out(lambda: COMMANDS[flags.command](flags))
