"""`oarflow evaluate`: compare contours, and measure the whole chain."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from oarflow.commands.flags import add_config, add_models, add_output, find_models
from oarflow.commands.menu import carry_out, menu_of, require

RESULTS = Path("docs/results")
CALIBRATION = Path("out/calibration")
NAMES = "for the organs' other names (default: those installed)"

SETTINGS = "settings for contouring (app.yaml)"

Menu = Callable[..., argparse.ArgumentParser]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands of evaluation."""
    menu = menu_of(parser)
    _add_chain(menu("chain", "Dice of the whole chain"))
    _add_systems(menu("systems", "several models folders, one table"))
    _add_compare(menu("compare", "two folders of contours, organ by organ"))
    _add_rank(menu("rank", "methods by their scores.csv, as HaN-Seg did"))
    _add_dose(menu("dose", "the plan's dose in predicted and clinical contours"))
    _add_human(menu("human", "how well two observers agree"))
    _add_pictures(menu)
    _add_edits(menu("edits", "what a physicist changed, and its drift"))
    _add_blind(menu("blind", "two sources on one page, without names"))
    _add_limits(menu)
    _add_benchmarks(menu)


def run(flags: argparse.Namespace) -> int:
    """Run one command. Raises ConfigurationError."""
    require("evaluate")
    from oarflow.evaluation.commands import COMMANDS

    if flags.command == "benchmark-receiving":
        require("node")
    find_models(flags)
    return carry_out(lambda: COMMANDS[flags.command](flags))


def _add_chain(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_models(parser)
    add("--name", default="chain", help="name of the tables, without ending")
    add("--position", default="HFS", help="patient position of the DICOM series")
    add("--derived", type=Path, help="score against these derived labels (oarflow data derive)")
    _add_cases(parser)


def _add_systems(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("systems", nargs="+", metavar="NAME=MODELS", help="what the table calls a models folder")
    add("--about", nargs="+", metavar="NAME=TEXT", default=(), help="what a system is, in words")
    add("--name", default="systems", help="name of the tables, without ending")
    add("--title", default="Systems side by side", help="the page's heading")
    _add_cases(parser)


def _add_cases(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, help="folder of pt_N.npz (default: validation in OARFLOW_DATA)")
    add("--cases", type=Path, help="only these: a file of ids, one a line, or a split (.yaml)")
    add("--part", default="tune", help="which list of a split")
    add("--cache", type=Path, default=Path("out/evaluation"), help="scores of cases already run")
    add_config(parser, SETTINGS)
    add_output(parser, "where the tables go (default: docs/results)", default=RESULTS)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--reference", type=Path, required=True, help="folder of folders, one a case")
    add("--prediction", type=Path, required=True, help="the same names")
    add("--ct", type=Path, help="folder of CTs, one folder a case, for RTSTRUCT without one")
    add("--tolerance", type=float, default=2.0, help="of surface Dice and added path, in mm")
    add("--every-organ", action="store_true", help="also those that no prediction has, as empty")
    add("--workers", type=int, default=1, help="cases read at the same time")
    add_models(parser, NAMES, names_only=True)
    add_output(parser, "folder for scores.csv, tables and plots", required=True)


def _add_rank(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("scores", nargs="+", metavar="[NAME=]SCORES_CSV", help="a method is named by its folder")
    add("--common", action="store_true", help="only cases and organs that every method has")
    add_output(parser, "folder for ranking.txt and ranking.csv")


def _add_dose(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--reference", type=Path, help="folder of folders, one a case: contours, CT and RTDOSE")
    add("--prediction", type=Path, help="the same names (default: OpenKBP's validation patients)")
    add("--data", type=Path, help="folder of pt_N.npz (default: validation in OARFLOW_DATA)")
    add("--doses", type=Path, help="folder of their doses (default: in OARFLOW_DATA)")
    add("--cache", type=Path, default=Path("out/evaluation"), help="contours of cases already run")
    add("--first", type=int, metavar="N", help="only the first N of OpenKBP's patients")
    add_models(parser)
    add_output(parser, "folder for tables and plots (default: docs/results)", default=RESULTS)


def _add_human(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, help="tcia-oars (default: in OARFLOW_DATA)")
    add("--cache", type=Path, default=Path("out/human"), help="scores of scans already done")
    add_output(parser, "folder for the page (default: docs/results)", default=RESULTS)


def _add_pictures(menu: Menu) -> None:
    overlays = menu("overlays", "pictures of contours on their CT")
    overlays.add_argument("ct", type=Path, help="folder of the CT")
    overlays.add_argument("rtstruct", type=Path)
    add_output(overlays, "folder for the pictures", required=True)
    review = menu("review", "scores that were saved from reports")
    review.add_argument("files", type=Path, nargs="+", help="review-....json")
    review.add_argument("--key", type=Path, nargs="+", default=(), help="of blinded comparisons")


def _add_edits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("out", type=Path, nargs="?", help="folder of a run: result.json and its RTSTRUCT")
    add("edited", type=Path, nargs="?", help="the RTSTRUCT that came back, or its folder")
    add("--ct", type=Path, help="folder of the CT, where its slices are unevenly spaced")
    add("--tolerance", type=float, default=2.0, help="of the surface Dice, in mm")
    add("--save", type=Path, metavar="DIR", help="keep the record in this folder")
    add("--history", type=Path, metavar="DIR", help="table and plot of all records in a folder")
    add_models(parser, NAMES, names_only=True)
    add_output(parser, "where table and plot go (default: out/edits)", default=Path("out/edits"))


def _add_blind(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("ct", type=Path)
    add("first", type=Path, help="an RTSTRUCT, or a folder with one")
    add("second", type=Path)
    add("--labels", nargs=2, default=("first", "second"), help="what the key calls them")
    add("--seed", default="0", help="another one draws another order")
    add_models(parser, NAMES, names_only=True)
    out = Path("out/blinded")
    add_output(parser, "where page and key go (default: out/blinded)", default=out)


def _add_limits(menu: Menu) -> None:
    """What the input gate's and the plausibility rules' limits come from."""
    priors = menu("priors", "facts of real contours, measured")
    priors.add_argument("--data", type=Path, help="training patients (default: in OARFLOW_DATA)")
    priors.add_argument("--tcia-oars", type=Path, help="tcia-oars (default: in OARFLOW_DATA)")
    add_output(priors, "default: oarflow/priors.json")

    calibrate = menu("calibrate", "limits of the plausibility rules")
    add = calibrate.add_argument
    add("--data", type=Path, help="training patients (default: in OARFLOW_DATA)")
    add("--cache", type=Path, default=CALIBRATION, help="what the networks said")
    add("--derived", type=Path, help="their derived labels, for organs learned from such")
    add("--unseen", type=Path, help="models folder of like networks that saw no tuning patient")
    add("--folds", type=Path, nargs="+", default=(), help="models folders, the K-th of fold K/N")
    add("--page", type=Path, default=RESULTS / "calibration.md", help="of the folds")
    add_models(calibrate)
    add_output(calibrate, "default: oarflow/plausibility/limits.json")

    test = menu("plausibility", "what the rules flag, and what they miss")
    add = test.add_argument
    add("--data", type=Path, help="validation patients (default: in OARFLOW_DATA)")
    add("--derived", type=Path, help="their derived labels, for organs learned from such")
    add("--cache", type=Path, default=CALIBRATION, help="what the networks said")
    add_models(test)
    add_output(test, "folder for the page (default: docs/results)", default=RESULTS)

    gate = menu("gate-limits", "how far good CTs stay from the input gate's limits")
    gate.add_argument("--data", type=Path, help="training patients (default: in OARFLOW_DATA)")
    gate.add_argument("--without-networks", action="store_true", help="without sure landmarks")
    add_models(gate)
    page = RESULTS / "gate.md"
    add_output(gate, f"Markdown file (default: {page})", default=page)


def _add_benchmarks(menu: Menu) -> None:
    stages = menu("benchmark", "seconds and memory by stage")
    add = stages.add_argument
    add("--ct", type=Path, help="folder of a CT (default: hn_picker in OARFLOW_DATA, resampled)")
    add("--matrix", type=int, default=512, help="rows and columns of the resampled study")
    add("--slices", type=int, default=186, help="slices of the resampled study")
    add("--windows", type=int, default=2, help="windows of the whole-volume network to time")
    add("--runs", type=int, default=1, help="runs of the application; the median is shown")
    add_models(stages)
    add_output(stages, "folder for the page (default: docs/results)", default=RESULTS)

    receiving = menu("benchmark-receiving", "the node beside Orthanc and dcmtk's storescp")
    add = receiving.add_argument
    series = Path("samples/openkbp_validation/ct")
    add("--ct", type=Path, default=series, help=f"the series that is sent (default: {series})")
    add("--runs", type=int, default=7, help="rounds that count (default: 7)")
    add("--folder", type=Path, help="where files are received (default: temporary)")
    page = RESULTS / "benchmark-receiving.md"
    add_output(receiving, f"Markdown file (default: {page})", default=page)

    writing = menu("benchmark-rtstruct", "writing an RTSTRUCT, beside rt-utils")
    writing.add_argument("--json", action="store_true", help="print JSON")
    environments = Path(".venvs")
    about = f"folder for rt-utils' own environment (default: {environments})"
    writing.add_argument("--environments", type=Path, default=environments, help=about)

    trip = menu("rtstruct-roundtrip", "real organ shapes to RTSTRUCT and back")
    trip.add_argument("--data", type=Path, help="tcia-oars (default: in OARFLOW_DATA)")
    trip.add_argument("--scans", type=int, help="only so many, evenly chosen")
    add_output(trip, "Markdown file", required=True)
