"""What `oarflow evaluate compare`, `rank`, `dose` and `human` do: contours against references."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.evaluation.places import shared, shown, today
from oarflow.organs import load_catalogue

if TYPE_CHECKING:
    from oarflow.evaluation.dose import OrganDose

LOGGER = logging.getLogger("oarflow.evaluation")


def compare(flags: argparse.Namespace) -> ExitStatus:
    """Two folders of contours. Returns 4 where cases could not be read."""
    from oarflow.evaluation import agreement, boxplots, comparison, score_tables

    catalogue = load_catalogue(flags.models)
    options = comparison.Options(flags.tolerance, flags.ct, flags.every_organ, flags.workers)
    found = comparison.compare(flags.reference, flags.prediction, catalogue, options)
    order = catalogue.names
    scores = found.scores
    flags.output.mkdir(parents=True, exist_ok=True)
    page = score_tables.report(found, order, shown(flags.command_line), today())
    (flags.output / "report.txt").write_text(page, encoding="utf-8")
    agreement.write_scores(flags.output / "scores.csv", scores)
    if not scores:
        LOGGER.info("%s", page)
        raise ValueError("nothing could be compared")
    score_tables.write_csv(flags.output / "summary.csv", scores, order)
    (flags.output / "table.tex").write_text(score_tables.latex(scores, order), encoding="utf-8")
    sources = {flags.prediction.name: scores}
    for metric in ("dsc", "hd95_mm", "surface_dice"):
        if agreement.finite(getattr(one, metric) for one in scores):
            boxplots.draw(flags.output / f"{metric}.png", sources, order, metric)
    LOGGER.info("%s", page)
    return ExitStatus.HELD if found.failed else ExitStatus.WRITTEN


def rank(flags: argparse.Namespace) -> None:
    """Methods by their scores."""
    from oarflow.evaluation import ranking

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
        ranking.write_csv(flags.output / "ranking.csv", found)
    LOGGER.info("%s", page)


def dose(flags: argparse.Namespace) -> ExitStatus:
    """The plan's dose in two sources of contours. Returns 4 where cases could not be read."""
    from oarflow.evaluation import dose as measured
    from oarflow.evaluation import dose_tables
    from oarflow.evaluation.application import model_files
    from oarflow.evaluation.tables import models_table

    if (flags.reference is None) != (flags.prediction is None):
        raise ConfigurationError("USAGE", "give both --reference and --prediction, or neither")
    remarks: list[str] = []
    failed = 0
    if flags.reference:
        catalogue = load_catalogue(flags.models)
        folders = measured.folder_doses(flags.reference, flags.prediction, catalogue)
        found, failed = list(folders.doses), len(folders.failed)
        source = "Plans and contours of the folders named."
        if failed:
            source += f" **Not read, in no figure: {', '.join(folders.failed)}** (see the remarks)."
        remarks = dose_tables.folder_remarks(folders)
    else:
        found, source = _openkbp_doses(flags), _OPENKBP
    flags.output.mkdir(parents=True, exist_ok=True)
    page = dose_tables.markdown(found, source, shown(flags.command_line), today(), remarks)
    measured.write_csv(flags.output / "dose.csv", found)
    measured.write_dvh(flags.output / "dvh.csv", found)
    if any(one.comparable for one in found):
        dose_tables.plot(flags.output / "dose.png", found)
        page += "\n![Mean dose-volume histograms](dose.png)\n"
    if not flags.reference:
        page += "\n## Models\n\n" + models_table(model_files(flags.models)) + "\n"
    (flags.output / "dose.md").write_text(page, encoding="utf-8")
    LOGGER.info("%s", page)
    return ExitStatus.HELD if failed else ExitStatus.WRITTEN


_OPENKBP = (
    "The dose is OpenKBP's planned one (`openkbp/dose`), the clinical contours are its own, and "
    "the predicted ones are what the application drew on each CT, as in [chain.md](chain.md). "
    "OpenKBP publishes no dose outside its mask of possible dose: an organ that leaves the mask is "
    "not wholly covered."
)


def _openkbp_doses(flags: argparse.Namespace) -> list[OrganDose]:
    from oarflow.datasets.openkbp import OpenKbp
    from oarflow.evaluation.application import model_files
    from oarflow.evaluation.chain import evaluate, kept
    from oarflow.evaluation.dose import openkbp_doses

    cases = OpenKbp(flags.data or shared("openkbp", "validation"))
    contours = kept(flags.models, flags.cache)
    ids = tuple(cases)[: flags.first]
    evaluate(cases, ids, flags.models, flags.cache)
    organs = frozenset(organ for model in model_files(flags.models) for organ in model.organs)
    doses = flags.doses or shared("openkbp", "dose")
    catalogue = load_catalogue(flags.models)
    return list(openkbp_doses(cases, doses, contours, organs, catalogue, ids=ids))


def human(flags: argparse.Namespace) -> None:
    """How well two observers agree."""
    from oarflow.evaluation.human import agreement, markdown

    catalogue = load_catalogue()
    scores = agreement(flags.data or shared("tcia-oars"), catalogue, flags.cache)
    page = markdown(scores, catalogue, shown(flags.command_line), today())
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / "human.md").write_text(page, encoding="utf-8")
    LOGGER.info("%s", page)
