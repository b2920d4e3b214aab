"""What `oarflow evaluate dose` does."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.evaluation.invocation import as_typed, data_folder, today
from oarflow.organs import load_catalogue

if TYPE_CHECKING:
    from oarflow.evaluation.dosimetry.doses import OrganDose

LOGGER = logging.getLogger("oarflow.evaluation")


def dose(flags: argparse.Namespace) -> ExitStatus:
    """The plan's dose in two sources of contours. Returns 4 where cases could not be read."""
    from oarflow.evaluation.application import model_files
    from oarflow.evaluation.chain.page import models_table
    from oarflow.evaluation.dosimetry import doses as measured
    from oarflow.evaluation.dosimetry import page as dose_tables

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
    page = dose_tables.markdown(found, source, as_typed(flags.command_line), today(), remarks)
    measured.write_statistics(flags.output / "dose.csv", found)
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
    "The planned dose (`openkbp/dose`) and the clinical contours come from OpenKBP. The "
    "application drew the predicted contours on each CT, as in [chain.md](chain.md). OpenKBP "
    "publishes the dose only inside a region, the mask of possible dose. The dose of an organ "
    "that reaches beyond this region is known only in part."
)


def _openkbp_doses(flags: argparse.Namespace) -> list[OrganDose]:
    from oarflow.datasets.openkbp import OpenKbp
    from oarflow.evaluation.application import model_files
    from oarflow.evaluation.chain.run import contours_folder, evaluate
    from oarflow.evaluation.dosimetry.doses import openkbp_doses

    cases = OpenKbp(flags.data or data_folder("openkbp", "validation"))
    contours = contours_folder(flags.models, flags.cache)
    ids = tuple(cases)[: flags.first]
    evaluate(cases, ids, flags.models, flags.cache)
    organs = frozenset(organ for model in model_files(flags.models) for organ in model.organs)
    doses = flags.doses or data_folder("openkbp", "dose")
    catalogue = load_catalogue(flags.models)
    return list(openkbp_doses(cases, doses, contours, organs, catalogue, ids=ids))
