"""What `oarflow evaluate compare`, `rank` and `human` do."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.evaluation.invocation import as_typed, data_folder, today
from oarflow.organs import load_catalogue

LOGGER = logging.getLogger("oarflow.evaluation")


def compare(flags: argparse.Namespace) -> ExitStatus:
    """Two folders of contours. Returns 4 where cases could not be read."""
    from oarflow.compare.scores import finite
    from oarflow.evaluation.comparison import boxplots, folders, report
    from oarflow.evaluation.scoring.files import write_scores

    catalogue = load_catalogue(flags.models)
    options = folders.Options(flags.tolerance, flags.ct, flags.every_organ, flags.workers)
    found = folders.compare(flags.reference, flags.prediction, catalogue, options)
    order = catalogue.names
    scores = found.scores
    flags.output.mkdir(parents=True, exist_ok=True)
    page = report.report(found, order, as_typed(flags.command_line), today())
    (flags.output / "report.txt").write_text(page, encoding="utf-8")
    write_scores(flags.output / "scores.csv", scores)
    if not scores:
        LOGGER.info("%s", page)
        raise ValueError("nothing could be compared")
    report.write_summary(flags.output / "summary.csv", scores, order)
    (flags.output / "table.tex").write_text(report.latex(scores, order), encoding="utf-8")
    sources = {flags.prediction.name: scores}
    for metric in ("dsc", "hd95_mm", "surface_dice"):
        if finite(getattr(one, metric) for one in scores):
            boxplots.draw(flags.output / f"{metric}.png", sources, order, metric)
    LOGGER.info("%s", page)
    return ExitStatus.HELD if found.failed else ExitStatus.WRITTEN


def rank(flags: argparse.Namespace) -> None:
    """Methods by their scores."""
    from oarflow.evaluation.comparison import ranking

    methods = {}
    for entry in flags.scores:
        name, _, place = entry.rpartition("=")
        path = Path(place)
        name = name or path.resolve().parent.name
        if name in methods:
            raise ConfigurationError("USAGE", f"two methods are called {name}: write NAME=FILE")
        methods[name] = ranking.read_method(path)
    if len(methods) < 2:
        raise ConfigurationError("USAGE", "name the scores of two methods at least")
    found = ranking.rank(methods, common=flags.common)
    page = ranking.text(found)
    if flags.output:
        flags.output.mkdir(parents=True, exist_ok=True)
        (flags.output / "ranking.txt").write_text(page, encoding="utf-8")
        ranking.write_ranking(flags.output / "ranking.csv", found)
    LOGGER.info("%s", page)


def human(flags: argparse.Namespace) -> None:
    """How well two observers agree."""
    from oarflow.evaluation.comparison.observers import interobserver_scores, markdown

    catalogue = load_catalogue()
    scores = interobserver_scores(flags.data or data_folder("tcia-oars"), catalogue, flags.cache)
    page = markdown(scores, catalogue, as_typed(flags.command_line), today())
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / "human.md").write_text(page, encoding="utf-8")
    LOGGER.info("%s", page)
