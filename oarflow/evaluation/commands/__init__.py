"""What the commands of `oarflow evaluate` do. Each imports the slow libraries that it needs."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from oarflow.evaluation.commands import (
    benchmarks,
    chain,
    comparison,
    dosimetry,
    experts,
    limits,
    resolution,
    review,
)

COMMANDS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    "chain": chain.chain,
    "systems": chain.systems,
    "compare": comparison.compare,
    "rank": comparison.rank,
    "dose": dosimetry.dose,
    "human": comparison.human,
    "experts": experts.experts,
    "overlays": review.overlays,
    "review": review.review,
    "edits": review.edits,
    "blind": review.blind,
    "priors": limits.priors,
    "calibrate": limits.calibrate,
    "plausibility": limits.plausibility,
    "gate-limits": limits.gate,
    "resolution": resolution.resolution,
    "benchmark": benchmarks.stages,
    "benchmark-imported": benchmarks.imported,
    "benchmark-receiving": benchmarks.receiving,
    "benchmark-throughput": benchmarks.throughput,
    "benchmark-rtstruct": benchmarks.rtstruct,
    "rtstruct-roundtrip": benchmarks.roundtrip,
    "margins": benchmarks.margins,
}
"""By name; None or an exit status. oarflow/commands/evaluate.py has their flags."""
