"""What the commands of `oarflow evaluate` that set or measure limits do."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace

from oarflow.evaluation.invocation import as_typed, data_folder, today
from oarflow.organs import load_catalogue

LOGGER = logging.getLogger("oarflow.evaluation")


def priors(flags: argparse.Namespace) -> None:
    """Facts of real contours, measured."""
    from oarflow.evaluation.limits.priors import measure_priors
    from oarflow.priors import FILE

    found = measure_priors(
        flags.data or data_folder("openkbp", "train"),
        flags.tcia_oars or data_folder("tcia-oars"),
        load_catalogue(),
        as_typed(flags.command_line),
    )
    (flags.output or FILE).write_text(found.as_json(), encoding="utf-8")
    LOGGER.info("%d organs, %d pairs", len(found.signs), len(found.offsets))


def calibrate(flags: argparse.Namespace) -> None:
    """Limits of the plausibility rules."""
    from oarflow.evaluation.limits import out_of_fold
    from oarflow.evaluation.limits.calibration import calibrated
    from oarflow.plausibility.limits import FILE
    from oarflow.priors import load_priors
    from oarflow.runtime import preload_cuda_runtime

    preload_cuda_runtime()
    found = calibrated(
        flags.data or data_folder("openkbp", "train"),
        flags.models,
        flags.cache,
        load_priors(),
        load_catalogue(),
        labels=flags.derived,
        unseen=flags.unseen,
        folds=flags.folds,
    )
    command = as_typed(flags.command_line)
    limits = replace(found.limits, command=command)
    (flags.output or FILE).write_text(limits.as_json(), encoding="utf-8")
    if flags.folds:
        flags.page.write_text(out_of_fold.page(found, command, today()), encoding="utf-8")
    for family, limit in limits.families.items():
        LOGGER.info("%s: %g", family.value, limit)


def calibrate_experts(flags: argparse.Namespace) -> None:
    """Spreads of the organs whose networks learned from experts' contours."""
    from oarflow.datasets.experts import Experts
    from oarflow.evaluation.limits.expert_page import page
    from oarflow.evaluation.limits.expert_spreads import calibrated
    from oarflow.plausibility.limits import FILE, Measures, load_limits
    from oarflow.priors import load_priors

    found = calibrated(
        Experts(flags.experts or data_folder("experts", "train")),
        flags.folds,
        flags.data or data_folder("openkbp", "train"),
        flags.models,
        cache=flags.cache,
        measures=Measures(load_priors(), load_limits()),
        catalogue=load_catalogue(),
    )
    (flags.output or FILE).write_text(found.limits.as_json(), encoding="utf-8")
    text = page(found.judged, found.tuning, as_typed(flags.command_line), today())
    flags.page.write_text(text, encoding="utf-8")
    LOGGER.info("%s", text)


def plausibility(flags: argparse.Namespace) -> None:
    """What the rules flag, and what they miss."""
    from oarflow.runtime import preload_cuda_runtime

    preload_cuda_runtime()
    from oarflow.evaluation.flag_accuracy.judging import Judge, validation
    from oarflow.evaluation.flag_accuracy.page import page
    from oarflow.evaluation.limits.predictions import Predictions
    from oarflow.plausibility.limits import Measures, load_limits
    from oarflow.priors import load_priors

    cases, ids = validation(flags.data or data_folder("openkbp", "validation"))
    predictions = Predictions(flags.models, flags.cache)
    measures = Measures(load_priors(), load_limits())
    judge = Judge(predictions, measures, load_catalogue(), flags.derived)
    found = judge.verdicts(cases, ids)
    text = page(found, measures.limits, as_typed(flags.command_line), today())
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / "plausibility.md").write_text(text, encoding="utf-8")
    LOGGER.info("%s", text)


def gate(flags: argparse.Namespace) -> None:
    """How far good CTs stay from the input gate's limits."""
    from oarflow.datasets.openkbp import OpenKbp
    from oarflow.evaluation.limits.gate import measured, page

    cases = OpenKbp(flags.data or data_folder("openkbp", "train"))
    found = measured(cases, None if flags.without_networks else flags.models)
    flags.output.write_text(page(found), encoding="utf-8")
    LOGGER.info("%s", flags.output)
