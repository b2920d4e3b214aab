"""What the commands of `oarflow train` do: one module each, with run(options)."""

from __future__ import annotations

from collections.abc import Callable

from oarflow.training.commands import (
    agreement,
    audit,
    cards,
    experiment,
    export,
    fit,
    fusion,
    localizers,
    propose,
    steps,
    systems,
    tune,
    views,
)
from oarflow.training.commands.options import Options

COMMANDS: dict[str, Callable[[Options], None]] = {
    "systems": systems.run,
    "audit": audit.run,
    "fit": fit.run,
    "export": export.run,
    "fusion": fusion.run,
    "tune": tune.run,
    "propose": propose.run,
    "localizers": localizers.run,
    "agreement": agreement.run,
    "views": views.run,
    "steps": steps.run,
    "experiment": experiment.run,
    "cards": cards.run,
}
"""By name. oarflow/commands/train.py has their flags."""
