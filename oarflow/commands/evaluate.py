"""`oarflow evaluate`: compare contours, and measure the whole chain."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from oarflow.commands.flags import add_config, add_models, add_output, find_models
from oarflow.commands.menu import carry_out, menu_of, require

RESULTS = Path("docs/results")
CALIBRATION = Path("out/calibration")
NAMES = "models folder with the organs' other names (default: those installed)"

SETTINGS = "settings for contouring (app.yaml)"

Menu = Callable[..., argparse.ArgumentParser]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands of evaluation."""
    menu = menu_of(parser)
    _add_chain(menu("chain", "score the whole chain, from DICOM to RTSTRUCT"))
    _add_systems(menu("systems", "compare folders of networks through the whole chain"))
    _add_compare(menu("compare", "compare two folders of contours, organ by organ"))
    _add_rank(menu("rank", "rank methods by their scores.csv, as the HaN-Seg challenge does"))
    _add_dose(menu("dose", "compare the planned dose in predicted and clinical contours"))
    _add_human(menu("human", "measure the agreement of two observers"))
    _add_experts(menu("experts", "compare the application with two experts and the clinic"))
    _add_pictures(menu)
    _add_edits(menu("edits", "measure what a clinic edited, and its trend"))
    _add_blind(menu("blind", "make a page to compare two sources blinded"))
    _add_limits(menu)
    _add_second_opinion(menu("second-opinion", "measure the failures that a second network finds"))
    _add_benchmarks(menu)


def run(flags: argparse.Namespace) -> int:
    """Run one command. Raises ConfigurationError."""
    require("evaluate")
    from oarflow.evaluation.commands import COMMANDS

    if flags.command in ("benchmark-receiving", "benchmark-throughput"):
        require("node")
    find_models(flags)
    return carry_out(lambda: COMMANDS[flags.command](flags))


def _add_chain(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_models(parser)
    add("--name", default="chain", help="file name of the tables, without suffix")
    add("--position", default="HFS", help="patient position of the DICOM series")
    add("--derived", type=Path, help="score against these derived labels (oarflow data derive)")
    _add_cases(parser)


def _add_systems(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "systems",
        nargs="+",
        metavar="NAME=MODELS",
        help="folder of networks and its name",
    )
    add(
        "--about",
        nargs="+",
        metavar="NAME=TEXT",
        default=(),
        help="a sentence about each system",
    )
    add("--name", default="systems", help="file name of the tables, without suffix")
    add("--title", default="Systems side by side", help="the page's heading")
    _add_cases(parser)


def _add_cases(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, help="folder of pt_N.npz (default: validation in OARFLOW_DATA)")
    add(
        "--cases",
        type=Path,
        help="file with one patient per line, or a split (.yaml)",
    )
    add("--part", default="tune", help="list of patients in the split file (default: tune)")
    add("--cache", type=Path, default=Path("out/evaluation"), help="scores of cases already run")
    add_config(parser, SETTINGS)
    add_output(parser, "folder for the tables (default: docs/results)", default=RESULTS)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--reference", type=Path, required=True, help="folder with one folder per case")
    add("--prediction", type=Path, required=True, help="folder with the same names")
    add("--ct", type=Path, help="folder of CTs, one folder per case, for RTSTRUCTs without a CT")
    add(
        "--tolerance",
        type=float,
        default=2.0,
        help="tolerance of surface Dice and added path length in mm (default: 2)",
    )
    add(
        "--every-organ",
        action="store_true",
        help="count an organ as missed even if no prediction has it",
    )
    add("--workers", type=int, default=1, help="cases read at the same time")
    add_models(parser, NAMES, names_only=True)
    add_output(parser, "folder for scores.csv, tables and plots", required=True)


def _add_rank(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "scores",
        nargs="+",
        metavar="[NAME=]SCORES_CSV",
        help="default name: that of the folder",
    )
    add("--common", action="store_true", help="only cases and organs that every method has")
    add_output(parser, "folder for ranking.txt and ranking.csv")


def _add_dose(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--reference", type=Path, help="folder with one folder per case: contours, CT and RTDOSE")
    about = "folder with the same subfolders (default: OpenKBP's validation patients)"
    add("--prediction", type=Path, help=about)
    add("--data", type=Path, help="folder of pt_N.npz (default: validation in OARFLOW_DATA)")
    add("--doses", type=Path, help="folder of their doses (default: in OARFLOW_DATA)")
    add("--cache", type=Path, default=Path("out/evaluation"), help="contours of cases already run")
    add("--first", type=int, metavar="N", help="only the first N of OpenKBP's patients")
    add_models(parser)
    add_output(parser, "folder for tables and plots (default: docs/results)", default=RESULTS)


def _add_human(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, help="folder tcia-oars (default: in OARFLOW_DATA)")
    add(
        "--cache",
        type=Path,
        default=Path("out/human"),
        help="folder for scores of scans already done",
    )
    add_output(parser, "folder for the page (default: docs/results)", default=RESULTS)


def _add_experts(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, help="experts' contours (default: experts/validation in OARFLOW_DATA)")
    folds = "models folders of a cross-validation; the K-th was trained with --fold K/N"
    add("--folds", type=Path, nargs="+", default=(), metavar="DIR", help=folds)
    add("--organs", nargs="+", default=(), help="organs to compare (default: all)")
    add("--before", type=Path, metavar="CSV", help="earlier table of scores to compare with")
    add("--name", default="experts", help="file name of the tables, without suffix")
    add("--cache", type=Path, default=Path("out/experts"), help="contours of patients already run")
    add_models(parser)
    add_config(parser, SETTINGS)
    add_output(parser, "folder for the tables (default: docs/results)", default=RESULTS)


def _add_pictures(menu: Menu) -> None:
    overlays = menu("overlays", "draw contours on their CT")
    overlays.add_argument("ct", type=Path, help="folder of the CT")
    overlays.add_argument("rtstruct", type=Path)
    add_output(overlays, "folder for the pictures", required=True)
    review = menu("review", "evaluate scores that reviewers saved from reports")
    review.add_argument("files", type=Path, nargs="+", help="review-NAME.json")
    review.add_argument(
        "--key", type=Path, nargs="+", default=(), help="keys of blinded comparisons"
    )


def _add_edits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("out", type=Path, nargs="?", help="folder of a run: result.json and its RTSTRUCT")
    add("edited", type=Path, nargs="?", help="the edited RTSTRUCT, or its folder")
    add("--ct", type=Path, help="folder of the CT, if its slices are unevenly spaced")
    add(
        "--tolerance",
        type=float,
        default=2.0,
        help="tolerance of the surface Dice in mm (default: 2)",
    )
    add("--save", type=Path, metavar="DIR", help="keep the record in this folder")
    add("--history", type=Path, metavar="DIR", help="table and plot of all records in a folder")
    add_models(parser, NAMES, names_only=True)
    add_output(parser, "folder for table and plot (default: out/edits)", default=Path("out/edits"))


def _add_blind(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("ct", type=Path)
    add("first", type=Path, help="an RTSTRUCT, or a folder with one")
    add("second", type=Path)
    add("--labels", nargs=2, default=("first", "second"), help="names of the sources in the key")
    add("--seed", default="0", help="seed of the random order")
    add_models(parser, NAMES, names_only=True)
    out = Path("out/blinded")
    add_output(parser, "folder for page and key (default: out/blinded)", default=out)


def _add_calibration_by_experts(menu: Menu) -> None:
    experts = menu("calibrate-experts", "set the limits of networks that learned from experts")
    add = experts.add_argument
    add("--experts", type=Path, help="experts' contours (default: experts/train in OARFLOW_DATA)")
    add("--data", type=Path, help="training patients (default: in OARFLOW_DATA)")
    add("--cache", type=Path, default=CALIBRATION, help="contours of cases already run")
    add(
        "--folds",
        type=Path,
        nargs="+",
        required=True,
        help="models folders of a cross-validation on the experts' patients; the K-th was trained "
        "with --fold K/N",
    )
    page = RESULTS / "calibration-experts.md"
    add("--page", type=Path, default=page, help=f"page of the results (default: {page})")
    add_models(experts)
    add_output(experts, "JSON file (default: oarflow/plausibility/limits.json)")


def _add_limits(menu: Menu) -> None:
    """Commands that set and measure the limits of the input checks and of the flags."""
    priors = menu("priors", "measure volume, position and other properties of reference contours")
    priors.add_argument("--data", type=Path, help="training patients (default: in OARFLOW_DATA)")
    priors.add_argument(
        "--tcia-oars", type=Path, help="folder tcia-oars (default: in OARFLOW_DATA)"
    )
    add_output(priors, "JSON file (default: oarflow/priors.json)")

    calibrate = menu("calibrate", "set the limits of the flags")
    add = calibrate.add_argument
    add("--data", type=Path, help="training patients (default: in OARFLOW_DATA)")
    add("--cache", type=Path, default=CALIBRATION, help="contours of cases already run")
    add("--derived", type=Path, help="derived labels of the patients")
    add(
        "--unseen",
        type=Path,
        help="folder of networks that were trained in the same way without the tuning patients",
    )
    add(
        "--folds",
        type=Path,
        nargs="+",
        default=(),
        help="models folders of a cross-validation; the K-th was trained with --fold K/N",
    )
    page = RESULTS / "calibration.md"
    add("--page", type=Path, default=page, help=f"page of the results of --folds (default: {page})")
    add_models(calibrate)
    add_output(calibrate, "JSON file (default: oarflow/plausibility/limits.json)")

    _add_calibration_by_experts(menu)

    test = menu("plausibility", "measure which errors the flags find")
    add = test.add_argument
    add("--data", type=Path, help="validation patients (default: in OARFLOW_DATA)")
    add("--derived", type=Path, help="derived labels of the patients")
    add("--cache", type=Path, default=CALIBRATION, help="contours of cases already run")
    add_models(test)
    add_output(test, "folder for the page (default: docs/results)", default=RESULTS)

    gate = menu("gate-limits", "compare acceptable CTs with the limits of the input checks")
    gate.add_argument("--data", type=Path, help="training patients (default: in OARFLOW_DATA)")
    gate.add_argument(
        "--without-networks", action="store_true", help="do not measure the landmarks"
    )
    add_models(gate)
    page = RESULTS / "gate.md"
    add_output(gate, f"Markdown file (default: {page})", default=page)

    smooth = menu("resolution", "find the smoothness at which fine and coarse CTs agree")
    smooth.add_argument("ct", type=Path, help="folder of a CT with pixels of about 1 mm")
    values = (2.4, 2.0, 1.66, 1.3, 0.9)
    about = "in-plane smoothness in mm, to compare (default: 2.4 2.0 1.66 1.3 0.9)"
    smooth.add_argument("--smoothness", type=float, nargs="+", default=values, help=about)
    smooth.add_argument("--organs", nargs="+", default=(), help="organs to compare (default: all)")
    add_models(smooth)
    add_output(smooth, "folder for the page (default: docs/results)", default=RESULTS)

    fast = menu("fast-inference", "compare fast inference of an imported network with exact labels")
    fast.add_argument("network", help="the network's folder in the models folder")
    fast.add_argument("ct", type=Path, nargs="+", help="folders of CTs")
    add_models(fast)
    page = RESULTS / "fast-inference.md"
    add_output(fast, f"Markdown file (default: {page})", default=page)


def _add_second_opinion(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("network", metavar="NETWORK", help="folder of an imported network in the models folder")
    add("--data", type=Path, help="training patients (default: in OARFLOW_DATA)")
    about = "models folder whose networks are compared with NETWORK; they saw no tuning patient"
    add("--unseen", type=Path, required=True, metavar="DIR", help=about)
    add("--made", action="store_true", help="only patients whose contours are in the cache")
    cache = Path("out/second-opinion")
    add("--cache", type=Path, default=cache, help="contours of cases already run")
    about = "JSON file of the limits (default: oarflow/plausibility/distance_limits.json)"
    add("--limits", type=Path, metavar="FILE", help=about)
    add_models(parser)
    add_output(parser, "folder for the page (default: docs/results)", default=RESULTS)


def _add_benchmarks(menu: Menu) -> None:
    stages = menu("benchmark", "measure seconds and memory by stage")
    _add_timed_study(stages)
    add = stages.add_argument
    add(
        "--windows",
        type=int,
        default=2,
        help="timed windows of the sliding-window network that is run for comparison",
    )
    add("--runs", type=int, default=1, help="runs of the application; the median is shown")
    add_models(stages)
    add_output(stages, "folder for the page (default: docs/results)", default=RESULTS)

    _add_comparisons_in_time(menu)


def _add_comparisons_in_time(menu: Menu) -> None:
    profile = menu("benchmark-profile", "measure processor time by kind of work")
    _add_timed_study(profile)
    add_models(profile)
    page = RESULTS / "benchmark-profile.md"
    add_output(profile, f"Markdown file (default: {page})", default=page)

    versions = menu("benchmark-versions", "measure processor time beside an earlier version")
    _add_timed_study(versions)
    add = versions.add_argument
    add("--checkout", type=Path, required=True, help="source folder of the earlier version")
    add("--runs", type=int, default=3, help="runs of each version (default: 3)")
    add_models(versions)
    page = RESULTS / "benchmark-versions.md"
    add_output(versions, f"Markdown file (default: {page})", default=page)

    devices = menu("benchmark-devices", "compare contours and seconds on a GPU and the processor")
    devices.add_argument("ct", type=Path, nargs="+", metavar="CT", help="folders of one CT each")
    add_models(devices)
    page = RESULTS / "benchmark-devices.md"
    add_output(devices, f"Markdown file (default: {page})", default=page)

    _add_other_benchmarks(menu)


def _add_other_benchmarks(menu: Menu) -> None:
    imported = menu("benchmark-imported", "measure imported networks of full size, and nnunetv2")
    add = imported.add_argument
    add("--tiles", type=int, default=5, help="timed tiles of each network and round (default: 5)")
    add("--rounds", type=int, default=2, help="how often the programs take turns (default: 2)")
    environments = Path(".venvs")
    about = f"folder of nnunetv2's environment `nnunet`, if there is one (default: {environments})"
    add("--environments", type=Path, default=environments, help=about)
    page = RESULTS / "benchmark-imported.md"
    add_output(imported, f"Markdown file (default: {page})", default=page)

    organs = menu("benchmark-organs", "measure a run with the organs of imported networks")
    about = "folder of a CT (default: hn_picker in OARFLOW_DATA, resampled)"
    organs.add_argument("--ct", type=Path, help=about)
    add_models(organs)
    page = RESULTS / "benchmark-organs.md"
    add_output(organs, f"Markdown file (default: {page})", default=page)

    receiving = menu("benchmark-receiving", "compare the node with Orthanc and DCMTK's storescp")
    add = receiving.add_argument
    series = Path("samples/openkbp_validation/ct")
    add("--ct", type=Path, default=series, help=f"the series that is sent (default: {series})")
    add("--runs", type=int, default=7, help="counted rounds (default: 7)")
    add("--folder", type=Path, help="where files are received (default: temporary)")
    page = RESULTS / "benchmark-receiving.md"
    add_output(receiving, f"Markdown file (default: {page})", default=page)

    about = "measure studies an hour, with and without warm processes"
    batches = menu("benchmark-throughput", about)
    add = batches.add_argument
    add("--ct", type=Path, default=series, help=f"the CT that is copied (default: {series})")
    add("--studies", type=int, default=8, help="copies in each batch (default: 8)")
    add("--rounds", type=int, default=1, help="batches for each row (default: 1)")
    add("--workers", type=int, nargs="+", default=(1, 2), help="numbers of workers (default: 1 2)")
    add_models(batches)
    page = RESULTS / "benchmark-throughput.md"
    add_output(batches, f"Markdown file (default: {page})", default=page)

    writing = menu("benchmark-rtstruct", "compare the writing of RTSTRUCTs with rt-utils")
    writing.add_argument("--json", action="store_true", help="print JSON")
    about = f"folder for rt-utils' own environment (default: {environments})"
    writing.add_argument("--environments", type=Path, default=environments, help=about)

    trip = menu("rtstruct-roundtrip", "write real organ shapes to RTSTRUCT and read them back")
    trip.add_argument("--data", type=Path, help="tcia-oars (default: in OARFLOW_DATA)")
    trip.add_argument("--scans", type=int, help="number of scans, evenly chosen (default: all)")
    add_output(trip, "Markdown file", required=True)

    margins = menu("margins", "compare margins with formulas, SimpleITK and plastimatch")
    page = RESULTS / "margins.md"
    add_output(margins, f"Markdown file (default: {page})", default=page)


def _add_timed_study(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--ct", type=Path, help="folder of a CT (default: hn_picker in OARFLOW_DATA, resampled)")
    add("--matrix", type=int, default=512, help="rows and columns of the resampled study")
    add("--slices", type=int, default=186, help="slices of the resampled study")
