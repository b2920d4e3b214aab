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
    fast_inference,
    limits,
    resolution,
    review,
    second_opinion,
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
    "calibrate-experts": limits.calibrate_experts,
    "plausibility": limits.plausibility,
    "gate-limits": limits.gate,
    "second-opinion": second_opinion.second_opinion,
    "resolution": resolution.resolution,
    "fast-inference": fast_inference.fast_inference,
    "benchmark": benchmarks.stages,
    "benchmark-imported": benchmarks.imported,
    "benchmark-profile": benchmarks.profile,
    "benchmark-versions": benchmarks.versions,
    "benchmark-devices": benchmarks.devices,
    "benchmark-receiving": benchmarks.receiving,
    "benchmark-throughput": benchmarks.throughput,
    "benchmark-rtstruct": benchmarks.rtstruct,
    "rtstruct-roundtrip": benchmarks.roundtrip,
    "margins": benchmarks.margins,
    "benchmark-organs": benchmarks.many_organs,
}
"""By name; None or an exit status. oarflow/commands/evaluate.py has their flags."""
