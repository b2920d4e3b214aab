"""What `oarflow commission` does."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from oarflow.errors import ConfigurationError, ExitStatus, Fault
from oarflow.organs import load_catalogue

if TYPE_CHECKING:
    from oarflow.evaluation.commissioning.network_records import Release

LOGGER = logging.getLogger("oarflow.evaluation")


def commission(flags: argparse.Namespace) -> ExitStatus:
    """Measure and write the record; or compare a record with the networks."""
    if flags.verify:
        return _verify(flags.verify, flags.models)
    if not (flags.data and flags.thresholds and flags.output):
        raise ConfigurationError(
            "USAGE", "give --data, --thresholds and --output, or --verify RECORD"
        )
    from oarflow.evaluation.commissioning import pages, run
    from oarflow.evaluation.commissioning.thresholds import read_thresholds

    release = _release(flags)
    limits = read_thresholds(flags.thresholds, load_catalogue(flags.models))
    plan = run.Plan(flags.data, flags.models, limits, flags.work, flags.clinic, flags.config)
    found = run.commission(plan)
    out = flags.output
    out.mkdir(parents=True, exist_ok=True)
    (out / "record.json").write_text(found.record.as_json(), encoding="utf-8")
    pages.write_html(out / "record.html", found.record)
    pages.write_pdf(out / "record.pdf", found.record)
    if any(one.allowed for one in found.record.decisions):
        settings = pages.settings(found.record)
        (out / "released.yaml").write_text(settings, encoding="utf-8")
    run.write_key(out / run.KEY_NAME, found.folders)
    if release is not None:
        LOGGER.info("%d records of networks in %s", release.write(found.record), release.folder)
    LOGGER.info("%s", pages.allowed(found.record))
    LOGGER.info("record %s in %s", found.record.sha256, out)
    return ExitStatus.WRITTEN


def _release(flags: argparse.Namespace) -> Release | None:
    """Where the networks' records go; None if the settings have no folder for them."""
    from oarflow.evaluation.commissioning.network_records import Release
    from oarflow.run.paths import config_path
    from oarflow.run.settings import load_settings

    folder = load_settings(config_path(flags.config, os.environ)).commissioned
    if folder is None:
        if flags.signed_by or flags.key:
            raise ConfigurationError(
                "USAGE", "--signed-by and --key need settings with a folder `commissioned`"
            )
        return None
    return Release.prepare(folder, flags.models, flags.signed_by, flags.key)


def _verify(path: Path, models: Path) -> ExitStatus:
    from oarflow.evaluation.application import model_files
    from oarflow.evaluation.commissioning.record import read_record

    try:
        record = read_record(path)
    except ValueError as error:
        raise Fault(str(error)) from error
    there = {file.sha256 for file in model_files(models)}
    gone = [
        one.organ
        for one in record.decisions
        if one.allowed and one.network and one.network.sha256 not in there
    ]
    gone += [one.folder for one in record.networks if not one.organs and one.sha256 not in there]
    if gone:
        raise Fault(f"{models} holds other networks than the record for {', '.join(gone)}")
    LOGGER.info("The record is as it was made, and %s holds its released networks.", models)
    return ExitStatus.WRITTEN
