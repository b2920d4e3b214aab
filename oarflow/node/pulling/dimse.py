"""C-FIND, then C-GET or C-MOVE (PS3.4 annex C), study root."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from oarflow.node.database.receiving import Origin
from oarflow.node.listener.server import STORAGE_CLASSES, TRANSFER_SYNTAXES, quiet_libraries
from oarflow.node.listener.tls import client_context
from oarflow.node.pulling.query import FoundSeries, PullCounts, PullFailed, Query, StoreInstance
from oarflow.node.pulling.reach import Trouble, Unreached, probe, silent, why_not
from oarflow.node.requesting import associate
from oarflow.node.settings.fields import Peer
from oarflow.node.storage.statuses import NotStored

LOGGER = logging.getLogger(__name__)

PENDING = (0xFF00, 0xFF01)
TIMEOUT_SECONDS, CONNECT_SECONDS = 60.0, 10.0


_WHY_NOT_SENT = {
    0xA701: "it cannot count the matches",
    0xA702: "it cannot transfer the images",
    0xA801: "it does not know the node's AE title as a C-MOVE destination",
    0xA900: "it does not accept the identifier",
    0xFE00: "the transfer was cancelled",
}
"""Statuses of C-GET and C-MOVE (PS3.4 C.4.2 and C.4.3)."""


def echo(ae_title: str, peer: Peer, seconds: float = 5.0) -> None:
    """C-ECHO within a time limit.

    Raises Unreached with the reason, and ConfigurationError for TLS.
    """
    begun = time.monotonic()

    def waited() -> float:
        return time.monotonic() - begun

    def left() -> float:
        return max(0.1, seconds - waited())

    probe(peer, seconds)
    entity = _entity(ae_title, left())
    entity.add_requested_context(Verification)
    association = _associate(entity, peer)
    if not association.is_established:
        raise why_not(association, peer, waited(), seconds)
    association.acse_timeout = association.dimse_timeout = left()
    status = association.send_c_echo().get("Status")
    if status is None:
        association.abort()
        raise silent(peer, "C-ECHO", waited(), seconds)
    association.acse_timeout = left()
    association.release()
    if status != 0:
        said = f"{peer.ae_title} refuses C-ECHO (status {status:04X})"
        raise Unreached(Trouble.DECLINED, said)


class DimsePacs:
    """A PACS by DIMSE. ae_title: the node's, which the PACS must know."""

    def __init__(self, ae_title: str, peer: Peer, method: str) -> None:
        quiet_libraries()
        self._ae_title, self._peer, self._method = ae_title, peer, method

    def find(self, query: Query) -> list[FoundSeries]:
        """Find series of the query's modalities. Raises PullFailed."""
        entity = _entity(self._ae_title)
        entity.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
        with _association(entity, self._peer) as association:
            studies = [query.study_uid] if query.names_one else _studies(association, query)
            return [
                found
                for study_uid in studies
                for modality in query.modalities
                for found in _series(association, study_uid, modality)
            ]

    def fetch(self, found: FoundSeries, take: StoreInstance) -> PullCounts:
        """Fetch a series. Raises PullFailed."""
        if self._method == "move":
            return self._move(found)
        return self._get(found, take)

    def _move(self, found: FoundSeries) -> PullCounts:
        """Let the PACS send a series to the node's listener."""
        entity = _entity(self._ae_title)
        entity.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
        with _association(entity, self._peer) as association:
            responses = association.send_c_move(
                _level("SERIES", found.study_uid, found.series_uid),
                self._ae_title,
                StudyRootQueryRetrieveInformationModelMove,
            )
            return _counted(responses)

    def _get(self, found: FoundSeries, take: StoreInstance) -> PullCounts:
        entity = _entity(self._ae_title)
        entity.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
        roles = []
        for storage_class in STORAGE_CLASSES:
            for syntax in TRANSFER_SYNTAXES:
                entity.add_requested_context(storage_class, syntax)
            roles.append(build_role(storage_class, scp_role=True))
        origin = Origin(self._peer.ae_title.strip(), self._ae_title, self._peer.host)

        def store(event: Any) -> int:
            request = event.request
            try:
                take(
                    origin,
                    request.DataSet.getvalue(),
                    str(event.context.transfer_syntax),
                    str(request.AffectedSOPClassUID),
                    str(request.AffectedSOPInstanceUID),
                )
            except NotStored as refusal:
                LOGGER.warning("refused an instance (%04X): %s", refusal.status, refusal)
                return int(refusal.status)
            return 0

        handlers = [(evt.EVT_C_STORE, store)]
        with _association(entity, self._peer, roles, handlers) as association:
            return _counted(
                association.send_c_get(
                    _level("SERIES", found.study_uid, found.series_uid),
                    StudyRootQueryRetrieveInformationModelGet,
                )
            )


def _entity(ae_title: str, timeout: float = TIMEOUT_SECONDS) -> AE:
    entity = AE(ae_title=ae_title)
    entity.connection_timeout = min(timeout, CONNECT_SECONDS)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = timeout
    return entity


def _associate(
    entity: AE, peer: Peer, roles: list[Any] | None = None, handlers: Sequence[Any] = ()
) -> Association:
    tls = None if peer.tls is None else (client_context(peer.tls), peer.host)
    return associate(
        entity,
        peer.host,
        peer.port,
        ae_title=peer.ae_title,
        handlers=handlers,
        ext_neg=roles,
        tls_args=tls,
    )


@contextmanager
def _association(
    entity: AE, peer: Peer, roles: list[Any] | None = None, handlers: Sequence[Any] = ()
) -> Iterator[Association]:
    """Open an association. Raises Unreached."""
    begun = time.monotonic()
    try:
        association = _associate(entity, peer, roles, handlers)
    except OSError:  # a name that cannot be resolved
        probe(peer, CONNECT_SECONDS)
        raise
    if not association.is_established:
        waited = time.monotonic() - begun
        if not association.is_rejected:
            probe(peer, CONNECT_SECONDS)
        raise why_not(association, peer, waited, TIMEOUT_SECONDS)
    try:
        yield association
    finally:
        association.release()


def _level(level: str, study_uid: str, series_uid: str = "") -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    identifier.StudyInstanceUID = UID(study_uid)
    if level == "SERIES":
        identifier.SeriesInstanceUID = UID(series_uid)
    return identifier


def _studies(association: Association, query: Query) -> list[str]:
    identifier = _level("STUDY", query.study_uid)
    identifier.AccessionNumber = query.accession_number
    identifier.StudyDate = query.date
    return [str(one.StudyInstanceUID) for one in _find(association, identifier)]


def _series(association: Association, study_uid: str, modality: str) -> Iterator[FoundSeries]:
    identifier = _level("SERIES", study_uid)
    identifier.Modality = modality
    identifier.NumberOfSeriesRelatedInstances = None
    for one in _find(association, identifier):
        if str(one.get("Modality", modality)) == modality:
            count = one.get("NumberOfSeriesRelatedInstances")
            yield FoundSeries(study_uid, str(one.SeriesInstanceUID), int(count) if count else None)


def _find(association: Association, identifier: Dataset) -> Iterator[Dataset]:
    for status, answer in association.send_c_find(
        identifier, StudyRootQueryRetrieveInformationModelFind
    ):
        if not status:
            raise PullFailed("the PACS stopped answering")
        if status.Status in PENDING and answer is not None:
            yield answer
        elif status.Status not in (0, *PENDING):
            raise PullFailed(f"the PACS refuses the query (status {status.Status:04X})")


def _counted(responses: Iterator[tuple[Dataset, Dataset | None]]) -> PullCounts:
    taken = PullCounts()
    for status, _ in responses:
        if not status:
            raise PullFailed("the PACS stopped answering")
        if "NumberOfCompletedSuboperations" in status:
            completed = int(status.NumberOfCompletedSuboperations or 0)
            # Stored with a warning is stored.
            taken.instances = completed + int(status.get("NumberOfWarningSuboperations", 0) or 0)
        taken.refused = int(status.get("NumberOfFailedSuboperations", taken.refused) or 0)
        if status.Status not in (0, 0xB000, *PENDING):
            words = _WHY_NOT_SENT.get(status.Status, "reason unknown")
            raise PullFailed(f"the PACS sends nothing: {words} (status {status.Status:04X})")
    return taken
