"""Commands that hold contours against references: compare, rank, dose, human, commission."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oarflow.evaluation.places import shared, shown, today
from oarflow.organs import load_catalogue

if TYPE_CHECKING:
    from oarflow.evaluation.dose import OrganDose

LOGGER = logging.getLogger("oarflow.evaluation")

PARTLY = 3
"""Exit status of a command that was done but for cases that could not be read."""


def add_comparisons(commands: Any) -> None:
    """Add them to the subparsers of `python -m oarflow.evaluation`."""
    _add_compare(commands.add_parser("compare", help="two folders of contours, organ by organ"))
    _add_rank(commands.add_parser("rank", help="methods by their scores.csv, as HaN-Seg did"))
    _add_dose(
        commands.add_parser("dose", help="the plan's dose in predicted and clinical contours")
    )
    _add_human(commands.add_parser("human", help="how well two observers agree"))
    _add_commission(commands.add_parser("commission", help="a clinic's patients, limits, record"))


def _add_compare(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--reference", type=Path, required=True, help="folder of folders, one a case")
    add("--prediction", type=Path, required=True, help="the same names")
    add("--output", type=Path, required=True, help="folder for scores.csv, tables and plots")
    add("--ct", type=Path, help="folder of CTs, one folder a case, for RTSTRUCT without one")
    add("--tolerance", type=float, default=2.0, help="of surface Dice and added path, in mm")
    add("--every-organ", action="store_true", help="also those that no prediction has, as empty")
    add("--models", type=Path, help="for the organs' other names (default: ours)")
    add("--workers", type=int, default=1, help="cases read at the same time")
    parser.set_defaults(run=_compare)


def _compare(flags: argparse.Namespace) -> int:
    from oarflow.evaluation import agreement, boxplots, comparison, score_tables  # noqa: PLC0415

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
    return PARTLY if found.failed else 0


def _add_rank(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("scores", nargs="+", metavar="[NAME=]SCORES_CSV", help="a method is named by its folder")
    add("--output", type=Path, help="folder for ranking.txt and ranking.csv")
    add("--common", action="store_true", help="only cases and organs that every method has")
    parser.set_defaults(run=_rank)


def _rank(flags: argparse.Namespace) -> None:
    from oarflow.evaluation import ranking  # noqa: PLC0415

    methods = {}
    for entry in flags.scores:
        name, _, place = entry.rpartition("=")
        path = Path(place)
        name = name or path.resolve().parent.name
        if name in methods:
            raise ValueError(f"two methods are called {name}: write NAME=FILE")
        methods[name] = ranking.read_method(path)
    found = ranking.rank(methods, common=flags.common)
    page = ranking.text(found)
    if flags.output:
        flags.output.mkdir(parents=True, exist_ok=True)
        (flags.output / "ranking.txt").write_text(page, encoding="utf-8")
        ranking.write_csv(flags.output / "ranking.csv", found)
    LOGGER.info("%s", page)


def _add_dose(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--reference", type=Path, help="folder of folders, one a case: contours, CT and RTDOSE")
    add("--prediction", type=Path, help="the same names (default: OpenKBP's validation patients)")
    add("--openkbp", type=Path, help="folder of pt_N.npz (default: validation in OARFLOW_DATA)")
    add("--doses", type=Path, help="folder of their doses (default: in OARFLOW_DATA)")
    add("--models", type=Path, default=Path("models"))
    add("--cache", type=Path, default=Path("out/evaluation"), help="contours of cases already run")
    add("--first", type=int, metavar="N", help="only the first N of OpenKBP's patients")
    add("--output", type=Path, default=Path("docs/results"))
    parser.set_defaults(run=_dose)


def _dose(flags: argparse.Namespace) -> int:
    from oarflow.evaluation import dose, dose_tables  # noqa: PLC0415
    from oarflow.evaluation.application import model_files  # noqa: PLC0415
    from oarflow.evaluation.tables import models_table  # noqa: PLC0415

    if (flags.reference is None) != (flags.prediction is None):
        raise ValueError("give both --reference and --prediction, or neither")
    remarks: list[str] = []
    failed = 0
    if flags.reference:
        catalogue = load_catalogue(flags.models)
        folders = dose.folder_doses(flags.reference, flags.prediction, catalogue)
        found, failed = list(folders.doses), len(folders.failed)
        source = "Plans and contours of the folders named."
        if failed:
            source += f" **Not read, in no figure: {', '.join(folders.failed)}** (see the remarks)."
        remarks = dose_tables.folder_remarks(folders)
    else:
        found, source = _openkbp_doses(flags), _OPENKBP
    flags.output.mkdir(parents=True, exist_ok=True)
    page = dose_tables.markdown(found, source, shown(flags.command_line), today(), remarks)
    dose.write_csv(flags.output / "dose.csv", found)
    dose.write_dvh(flags.output / "dvh.csv", found)
    if any(one.comparable for one in found):
        dose_tables.plot(flags.output / "dose.png", found)
        page += "\n![Mean dose-volume histograms](dose.png)\n"
    if not flags.reference:
        page += "\n## Models\n\n" + models_table(model_files(flags.models)) + "\n"
    (flags.output / "dose.md").write_text(page, encoding="utf-8")
    LOGGER.info("%s", page)
    return PARTLY if failed else 0


_OPENKBP = (
    "The dose is OpenKBP's planned one (`openkbp/dose`), the clinical contours are its own, and "
    "the predicted ones are what the application drew on each CT, as in [chain.md](chain.md). "
    "OpenKBP publishes no dose outside its mask of possible dose: an organ that leaves the mask is "
    "not wholly covered."
)


def _openkbp_doses(flags: argparse.Namespace) -> list[OrganDose]:
    from oarflow.datasets.openkbp import OpenKbp  # noqa: PLC0415
    from oarflow.evaluation.application import model_files  # noqa: PLC0415
    from oarflow.evaluation.chain import evaluate, kept  # noqa: PLC0415
    from oarflow.evaluation.dose import openkbp_doses  # noqa: PLC0415

    cases = OpenKbp(flags.openkbp or shared("openkbp", "validation"))
    contours = kept(flags.models, flags.cache)
    ids = tuple(cases)[: flags.first]
    evaluate(cases, ids, flags.models, flags.cache)
    organs = frozenset(organ for model in model_files(flags.models) for organ in model.organs)
    doses = flags.doses or shared("openkbp", "dose")
    catalogue = load_catalogue(flags.models)
    return list(openkbp_doses(cases, doses, contours, organs, catalogue, ids=ids))


def _add_human(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, help="tcia-oars (default: in OARFLOW_DATA)")
    add("--output", type=Path, default=Path("docs/results"))
    add("--cache", type=Path, default=Path("out/human"), help="scores of scans already done")
    parser.set_defaults(run=_human)


def _human(flags: argparse.Namespace) -> None:
    from oarflow.evaluation import human  # noqa: PLC0415

    catalogue = load_catalogue()
    scores = human.agreement(flags.data or shared("tcia-oars"), catalogue, flags.cache)
    page = human.markdown(scores, catalogue, shown(flags.command_line), today())
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / "human.md").write_text(page, encoding="utf-8")
    LOGGER.info("%s", page)


def _add_commission(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--patients", type=Path, help="folder of folders, one a patient: CT and RTSTRUCT")
    add(
        "--thresholds",
        type=Path,
        help="the clinic's limits; oarflow/evaluation/thresholds.yaml shows how",
    )
    add("--models", type=Path, default=Path("models"))
    add("--config", type=Path, help="settings for the application (app.yaml)")
    add("--clinic", default="", help="what the record calls the clinic")
    add("--output", type=Path, help="folder for the record")
    add("--work", type=Path, default=Path("out/commissioning"), help="runs already done")
    add("--verify", type=Path, metavar="RECORD", help="hold a record against --models instead")
    parser.set_defaults(run=_commission)


def _commission(flags: argparse.Namespace) -> None:
    if flags.verify:
        _verify(flags.verify, flags.models)
        return
    if not (flags.patients and flags.thresholds and flags.output):
        raise ValueError("give --patients, --thresholds and --output, or --verify RECORD")
    from oarflow.evaluation import commissioning, commissioning_page, commissioning_run  # noqa: PLC0415

    limits = commissioning.read_thresholds(flags.thresholds, load_catalogue(flags.models))
    plan = commissioning_run.Plan(
        flags.patients, flags.models, limits, flags.work, flags.clinic, flags.config
    )
    found = commissioning_run.commission(plan)
    out = flags.output
    out.mkdir(parents=True, exist_ok=True)
    (out / "record.json").write_text(found.record.as_json(), encoding="utf-8")
    commissioning_page.write_html(out / "record.html", found.record)
    commissioning_page.write_pdf(out / "record.pdf", found.record)
    if any(one.allowed for one in found.record.decisions):
        settings = commissioning_page.settings(found.record)
        (out / "released.yaml").write_text(settings, encoding="utf-8")
    commissioning_run.write_key(out / commissioning_run.KEY_NAME, found.folders)
    LOGGER.info("%s", commissioning_page.allowed(found.record))
    LOGGER.info("record %s in %s", found.record.sha256, out)


def _verify(path: Path, models: Path) -> None:
    from oarflow.evaluation.application import model_files  # noqa: PLC0415
    from oarflow.evaluation.commissioning import read_record  # noqa: PLC0415

    record = read_record(path)
    there = {file.sha256 for file in model_files(models)}
    gone = [
        one.organ
        for one in record.decisions
        if one.allowed and one.network and one.network.sha256 not in there
    ]
    gone += [one.folder for one in record.networks if not one.organs and one.sha256 not in there]
    if gone:
        raise ValueError(f"{models} holds other networks than the record for {', '.join(gone)}")
    LOGGER.info("The record is as it was made, and %s holds its released networks.", models)
