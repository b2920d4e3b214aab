"""What `oarflow evaluate priors`, `calibrate`, `plausibility` and `gate-limits` do."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace

from oarflow.evaluation.places import shared, shown, today
from oarflow.organs import load_catalogue

LOGGER = logging.getLogger("oarflow.evaluation")


def priors(flags: argparse.Namespace) -> None:
    """Facts of real contours, measured."""
    from oarflow.evaluation.priors import measure_priors  # noqa: PLC0415
    from oarflow.priors import FILE  # noqa: PLC0415

    found = measure_priors(
        flags.data or shared("openkbp", "train"),
        flags.tcia_oars or shared("tcia-oars"),
        load_catalogue(),
        shown(flags.command_line),
    )
    (flags.output or FILE).write_text(found.as_json(), encoding="utf-8")
    LOGGER.info("%d organs, %d pairs", len(found.signs), len(found.offsets))


def calibrate(flags: argparse.Namespace) -> None:
    """Limits of the plausibility rules."""
    from oarflow.evaluation import out_of_fold  # noqa: PLC0415
    from oarflow.evaluation.calibrate import calibrated  # noqa: PLC0415
    from oarflow.plausibility.limits import FILE  # noqa: PLC0415
    from oarflow.priors import load_priors  # noqa: PLC0415
    from oarflow.runtime import preload_cuda_runtime  # noqa: PLC0415

    preload_cuda_runtime()
    found = calibrated(
        flags.data or shared("openkbp", "train"),
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


def plausibility(flags: argparse.Namespace) -> None:
    """What the rules flag, and what they miss."""
    from oarflow.runtime import preload_cuda_runtime  # noqa: PLC0415

    preload_cuda_runtime()
    from oarflow.evaluation.calibration_cache import Predictions  # noqa: PLC0415
    from oarflow.evaluation.plausibility import Judge, validation  # noqa: PLC0415
    from oarflow.evaluation.plausibility_page import page  # noqa: PLC0415
    from oarflow.plausibility.limits import Measures, load_limits  # noqa: PLC0415
    from oarflow.priors import load_priors  # noqa: PLC0415

    cases, ids = validation(flags.data or shared("openkbp", "validation"))
    predictions = Predictions(flags.models, flags.cache)
    measures = Measures(load_priors(), load_limits())
    judge = Judge(predictions, measures, load_catalogue(), flags.derived)
    found = judge.verdicts(cases, ids)
    text = page(found, measures.limits, shown(flags.command_line), today())
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / "plausibility.md").write_text(text, encoding="utf-8")
    LOGGER.info("%s", text)


def gate(flags: argparse.Namespace) -> None:
    """How far good CTs stay from the input gate's limits."""
    from oarflow.datasets.openkbp import OpenKbp  # noqa: PLC0415
    from oarflow.evaluation.gate_limits import measured, page  # noqa: PLC0415

    cases = OpenKbp(flags.data or shared("openkbp", "train"))
    found = measured(cases, None if flags.without_networks else flags.models)
    flags.output.write_text(page(found), encoding="utf-8")
    LOGGER.info("%s", flags.output)
