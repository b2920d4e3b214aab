"""What `oarflow evaluate experts` does."""

from __future__ import annotations

import argparse
import logging

from oarflow.evaluation.invocation import as_typed, data_folder, today

LOGGER = logging.getLogger("oarflow.evaluation")


def experts(flags: argparse.Namespace) -> None:
    """Compare the application, or networks of folds, with two experts and the clinic."""
    from oarflow.datasets.experts import Experts
    from oarflow.evaluation.application import model_files
    from oarflow.evaluation.experts.page import markdown
    from oarflow.evaluation.experts.scores import measure, read_scores, write_scores

    data = Experts(flags.data or data_folder("experts", "validation"))
    folders = flags.folds or [flags.models]
    scores = measure(data, folders, flags.cache, config=flags.config, organs=flags.organs)
    patients = f"{len(data.patients)} patients ({', '.join(data.patients)})"
    if flags.folds:
        patients += f" in {len(folders)} folds, each contoured by networks that did not see it"
    page = markdown(
        scores,
        [model for folder in folders for model in model_files(folder)],
        patients=patients,
        command=as_typed(flags.command_line),
        date=today(),
        before=read_scores(flags.before) if flags.before else (),
    )
    flags.output.mkdir(parents=True, exist_ok=True)
    (flags.output / f"{flags.name}.md").write_text(page, encoding="utf-8")
    write_scores(flags.output / f"{flags.name}.csv", scores)
    LOGGER.info("%s", page)
