"""What `oarflow evaluate second-opinion` does."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

from oarflow.evaluation.invocation import as_typed, data_folder, today

LOGGER = logging.getLogger("oarflow.evaluation")


def second_opinion(flags: argparse.Namespace) -> None:
    """Failures that a second network finds, and limits of the distance between both contours."""
    from oarflow.runtime import preload_cuda_runtime

    preload_cuda_runtime()
    from oarflow.datasets.openkbp import OpenKbp
    from oarflow.evaluation.limits.references import openkbp_split
    from oarflow.evaluation.second_opinion.measuring import (
        ComparedContour,
        compared_contours,
        limits_mm,
    )
    from oarflow.evaluation.second_opinion.page import Measured, page
    from oarflow.evaluation.second_opinion.pairs import ContourPairs, network_words
    from oarflow.plausibility.distance_limits import FILE, load_distance_limits

    cases, patients = OpenKbp(flags.data or data_folder("openkbp", "train")), openkbp_split().tune
    limits = load_distance_limits()

    def contoured(folder: Path) -> tuple[ComparedContour, ...]:
        pairs = ContourPairs(folder, flags.models, flags.network, flags.cache)
        ids = pairs.made(patients) if flags.made else patients
        return tuple(compared_contours(cases, ids, pairs))

    found = Measured(
        network_words(flags.models, flags.network),
        len(patients),
        contoured(flags.unseen),
        contoured(flags.models),
        limits.guess_mm,
    )
    command = as_typed(flags.command_line)
    limits = replace(limits, measured_mm=limits_mm(found.first), command=command)
    (flags.limits or FILE).write_text(limits.as_json(), encoding="utf-8")
    text = page(found, command, today())
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / "second-opinion.md").write_text(text, encoding="utf-8")
    LOGGER.info("%s", text)
