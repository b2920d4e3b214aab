"""What `oarflow evaluate overlays`, `edits`, `blind` and `review` do."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.organs import load_catalogue

LOGGER = logging.getLogger("oarflow.evaluation")


def overlays(flags: argparse.Namespace) -> None:
    """Pictures of contours on their CT."""
    from oarflow.evaluation.review.overlays import draw

    for path in draw(flags.ct, flags.rtstruct, flags.output):
        LOGGER.info("%s", path)


def edits(flags: argparse.Namespace) -> None:
    """What was changed of a run's contours; or the history of all records."""
    if flags.history:
        _history(flags.history, flags.output)
        return
    if not (flags.out and flags.edited):
        raise ConfigurationError(
            "USAGE", "give the run's folder and the edited RTSTRUCT, or --history DIR"
        )
    from oarflow.compare.edits import compare
    from oarflow.evaluation.review.edits_page import markdown

    catalogue = load_catalogue(flags.models)
    record = compare(flags.out, flags.edited, catalogue, ct=flags.ct, tolerance_mm=flags.tolerance)
    if flags.save:
        flags.save.mkdir(parents=True, exist_ok=True)
        name = f"edits-{record.rtstruct.replace('.', '-')}.json"
        (flags.save / name).write_text(record.as_json(), encoding="utf-8")
    LOGGER.info("%s", markdown(record))


def _history(folder: Path, output: Path) -> None:
    from oarflow.evaluation.review import edits_history as history

    entries = history.read_entries(folder)
    page = history.markdown(entries)
    output.mkdir(parents=True, exist_ok=True)
    (output / "history.md").write_text(page, encoding="utf-8")
    history.write_entries(output / "history.csv", entries)
    history.plot(output / "history.png", entries)
    LOGGER.info("%s", page)


def blind(flags: argparse.Namespace) -> None:
    """Two sources of contours on one page, without names."""
    from oarflow.evaluation.review.blinded import PAGE_NAME, ContourSource, write_blinded

    one, other = flags.labels
    if one == other:
        raise ConfigurationError("USAGE", "--labels: the two sources need different names")
    sources = ContourSource(one, flags.first), ContourSource(other, flags.second)
    key = write_blinded(flags.ct, sources, flags.output, load_catalogue(flags.models), flags.seed)
    LOGGER.info("%s: %d contours", flags.output / PAGE_NAME, len(key.organs))


def review(flags: argparse.Namespace) -> None:
    """Scores from reports, summed up."""
    from oarflow.evaluation.review import blinded
    from oarflow.evaluation.review.scores import latest, read_review, summary

    reviews = [read_review(path) for path in flags.files]
    told = blinded.unblinded(reviews, [blinded.read_key(path) for path in flags.key])
    LOGGER.info("%s", summary(told))
    if flags.key:
        LOGGER.info("%s", blinded.preferences(latest(told)))
