"""`oarflow node pull`: fetch studies from a PACS. The running node contours them."""

from __future__ import annotations

import argparse
import sys

from oarflow.errors import ConfigurationError, ExitStatus
from oarflow.node.assembly.opening import opened
from oarflow.node.audit import Action, at_the_keyboard, record
from oarflow.node.database import Database, receiving
from oarflow.node.files import make_folder
from oarflow.node.pulling.dimse import DimsePacs
from oarflow.node.pulling.query import FoundSeries, PullCounts, PullFailed, Query
from oarflow.node.pulling.web import WebPacs
from oarflow.node.settings import NodeSettings, PullSource
from oarflow.node.storage.receiver import Receiver
from oarflow.node.storage.spool import INCOMING


def main(flags: argparse.Namespace, settings: NodeSettings) -> int:
    """Find and fetch. Returns 1 if that fails, 3 if the PACS has no such series.

    Raises ConfigurationError.
    """
    source = settings.pull.get(flags.source)
    if source is None:
        known = ", ".join(settings.pull) or "none"
        raise ConfigurationError(
            "SETTINGS", f"no PACS pull.{flags.source} in the settings; known: {known}"
        )
    try:
        query = Query(flags.accession, flags.date, flags.study, settings.series.modalities)
    except ValueError as error:
        raise ConfigurationError("QUERY", str(error)) from error
    try:
        with opened(settings) as database:
            make_folder(settings.storage.root / INCOMING)
            return _pull(flags.source, source, query, settings, database)
    except PullFailed as error:
        sys.stderr.write(f"oarflow: PULL: {flags.source}: {error}\n")
        return ExitStatus.FAULT
    except OSError as error:
        raise ConfigurationError("STORAGE", f"{settings.storage.root}: {error.strerror}") from error


def pacs(name: str, source: PullSource, settings: NodeSettings) -> DimsePacs | WebPacs:
    """The PACS of an entry of `pull` in the settings. Raises ConfigurationError."""
    if source.dicomweb is not None:
        return WebPacs(name, source.dicomweb, settings.listener.ae_title)
    assert source.peer is not None
    return DimsePacs(settings.listener.ae_title, source.peer, source.method)


def _pull(
    name: str, source: PullSource, query: Query, settings: NodeSettings, database: Database
) -> int:
    receiver = Receiver(settings, database)
    place = pacs(name, source, settings)
    with database.write() as session:
        asked = {"accession": query.accession_number, "date": query.date, "study": query.study_uid}
        detail = {key: value for key, value in asked.items() if value}
        record(session, at_the_keyboard(), Action.PULL, name, **detail)
    found = place.find(query)
    if not found:
        wanted = " or ".join(query.modalities)
        sys.stderr.write(f"oarflow: PULL: {name}: no series of {wanted} found\n")
        return ExitStatus.REFUSED
    sys.stdout.write(f"{len(found)} series found\n")
    total = PullCounts()
    for number, series in enumerate(found, 1):
        taken = place.fetch(series, receiver.receive)
        _announce(database, series)
        total.instances += taken.instances
        total.refused += taken.refused
        sys.stdout.write(f"series {number}: {taken.instances} instances, {taken.refused} refused\n")
    return ExitStatus.FAULT if total.refused else ExitStatus.WRITTEN


def _announce(database: Database, series: FoundSeries) -> None:
    if series.count is not None:
        with database.write() as session:
            receiving.announce(session, series.study_uid, series.series_uid, series.count)
