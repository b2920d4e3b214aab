"""Commands that hold contours against references: compare, rank, dose, human, commission."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from evaluation.places import shared, shown, today
from oarflow.organs import load_catalogue

LOGGER = logging.getLogger("evaluation")


def add_comparisons(commands: Any) -> None:
    """Add them to the subparsers of `python -m evaluation`."""
    _add_human(commands.add_parser("human", help="how well two observers agree"))


def _add_human(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, help="tcia-oars (default: in OARFLOW_DATA)")
    add("--output", type=Path, default=Path("docs/results"))
    add("--cache", type=Path, default=Path("out/human"), help="scores of scans already done")
    parser.set_defaults(run=_human)


def _human(flags: argparse.Namespace) -> None:
    from evaluation import human  # noqa: PLC0415

    catalogue = load_catalogue()
    scores = human.agreement(flags.data or shared("tcia-oars"), catalogue, flags.cache)
    page = human.markdown(scores, catalogue, shown(flags.command_line), today())
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / "human.md").write_text(page, encoding="utf-8")
    LOGGER.info("%s", page)
