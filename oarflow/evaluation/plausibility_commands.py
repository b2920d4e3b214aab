"""Commands of the plausibility rules: priors, calibrate, plausibility."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from oarflow.evaluation.places import shared, shown, today
from oarflow.organs import load_catalogue

LOGGER = logging.getLogger("oarflow.evaluation")

CACHE = Path("out/calibration")


def add_plausibility(commands: Any) -> None:
    """Add them to the subparsers of `python -m oarflow.evaluation`."""
    _add_priors(commands.add_parser("priors", help="facts of real contours, measured"))
    _add_calibrate(commands.add_parser("calibrate", help="limits of the plausibility rules"))
    _add_test(commands.add_parser("plausibility", help="what the rules flag, and what they miss"))


def _add_priors(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--openkbp", type=Path, help="training patients (default: in OARFLOW_DATA)")
    add("--tcia-oars", type=Path, help="tcia-oars (default: in OARFLOW_DATA)")
    add("--output", type=Path, help="default: oarflow/priors.json")
    parser.set_defaults(run=_priors)


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--openkbp", type=Path, help="training patients (default: in OARFLOW_DATA)")
    add("--models", type=Path, default=Path("models"))
    add("--cache", type=Path, default=CACHE, help="what the networks said")
    add("--derived", type=Path, help="their derived labels, for organs learned from such")
    add("--unseen", type=Path, help="models folder of like networks that saw no tuning patient")
    add("--folds", type=Path, nargs="+", default=(), help="models folders, the K-th of fold K/N")
    add("--page", type=Path, default=Path("docs/results/calibration.md"), help="of the folds")
    add("--output", type=Path, help="default: oarflow/plausibility/limits.json")
    parser.set_defaults(run=_calibrate)


def _add_test(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--openkbp", type=Path, help="validation patients (default: in OARFLOW_DATA)")
    add("--derived", type=Path, help="their derived labels, for organs learned from such")
    add("--models", type=Path, default=Path("models"))
    add("--cache", type=Path, default=CACHE, help="what the networks said")
    add("--output", type=Path, default=Path("docs/results"))
    parser.set_defaults(run=_test)


def _priors(flags: argparse.Namespace) -> None:
    from oarflow.evaluation.priors import measure_priors  # noqa: PLC0415
    from oarflow.priors import FILE  # noqa: PLC0415

    priors = measure_priors(
        flags.openkbp or shared("openkbp", "train"),
        flags.tcia_oars or shared("tcia-oars"),
        load_catalogue(),
        shown(flags.command_line),
    )
    (flags.output or FILE).write_text(priors.as_json(), encoding="utf-8")
    LOGGER.info("%d organs, %d pairs", len(priors.signs), len(priors.offsets))


def _calibrate(flags: argparse.Namespace) -> None:
    from oarflow.evaluation import out_of_fold  # noqa: PLC0415
    from oarflow.evaluation.calibrate import calibrated  # noqa: PLC0415
    from oarflow.plausibility.limits import FILE  # noqa: PLC0415
    from oarflow.priors import load_priors  # noqa: PLC0415
    from oarflow.runtime import preload_cuda_runtime  # noqa: PLC0415

    preload_cuda_runtime()
    found = calibrated(
        flags.openkbp or shared("openkbp", "train"),
        flags.models,
        flags.cache,
        load_priors(),
        load_catalogue(),
        labels=flags.derived,
        unseen=flags.unseen,
        folds=flags.folds,
    )
    command = shown(flags.command_line)
    limits = replace(found.limits, command=command)
    (flags.output or FILE).write_text(limits.as_json(), encoding="utf-8")
    if flags.folds:
        flags.page.write_text(out_of_fold.page(found, command, today()), encoding="utf-8")
    for family, limit in limits.families.items():
        LOGGER.info("%s: %g", family.value, limit)


def _test(flags: argparse.Namespace) -> None:
    from oarflow.runtime import preload_cuda_runtime  # noqa: PLC0415

    preload_cuda_runtime()
    from oarflow.evaluation.calibration_cache import Predictions  # noqa: PLC0415
    from oarflow.evaluation.plausibility import Judge, validation  # noqa: PLC0415
    from oarflow.evaluation.plausibility_page import page  # noqa: PLC0415
    from oarflow.plausibility.limits import load_limits  # noqa: PLC0415
    from oarflow.plausibility.rules import Measures  # noqa: PLC0415
    from oarflow.priors import load_priors  # noqa: PLC0415

    cases, ids = validation(flags.openkbp or shared("openkbp", "validation"))
    predictions = Predictions(flags.models, flags.cache)
    measures = Measures(load_priors(), load_limits())
    judge = Judge(predictions, measures, load_catalogue(), flags.derived)
    found = judge.verdicts(cases, ids)
    text = page(found, measures.limits, shown(flags.command_line), today())
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / "plausibility.md").write_text(text, encoding="utf-8")
    LOGGER.info("%s", text)
