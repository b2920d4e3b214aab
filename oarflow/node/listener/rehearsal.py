"""What a process does only once is done before a sender waits for it.

The first series that a process receives would have SQLAlchemy configure its mappers and compile
every statement, and pydicom read its first data set: as much work as some hundred instances.
"""

from __future__ import annotations

import struct

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from sqlalchemy.exc import SQLAlchemyError

from oarflow.node.database import Database, receiving
from oarflow.node.database.receiving import Arrival, Origin, Texts
from oarflow.node.listener.dataset import PIXEL_DATA, inspect

_UID = "2.25.0"
_FOLDER = "rehearsal"
"""Names of no instance and no folder: nothing of a rehearsal stays."""


def rehearse(database: Database) -> None:
    """Receive an instance of nobody as far as it leaves nothing behind. Raises nothing."""
    arrival = _arrival(inspect(_data_set(), ExplicitVRLittleEndian, 0).texts())
    try:
        with database.write() as session:
            receiving.journal(session, arrival, contoured=True)
            session.rollback()
        with database.read() as session:
            receiving.known(session, _FOLDER, _UID)
        with database.begin_quickly() as transaction:
            receiving.one_more_in_vain(transaction, arrival)
    except SQLAlchemyError:  # it may be there when something comes
        return


def _arrival(texts: Texts) -> Arrival:
    return Arrival(
        origin=Origin("REHEARSAL"),
        study_uid=_UID,
        series_uid=_UID,
        sop_instance_uid=_UID,
        sop_class_uid=CTImageStorage,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        sha256="",
        size=0,
        path=_FOLDER,
        folder=_FOLDER,
        modality="CT",
        texts=lambda: texts,
    )


def _data_set() -> bytes:
    """A whole data set, explicit little endian."""
    uids = (0x00080016, 0x00080018, 0x0020000D, 0x0020000E)
    values = [(tag, b"UI", b"2.25.0") for tag in uids]
    values.append((0x00100010, b"PN", b"Nobody"))
    head = b"".join(_element(*value) for value in sorted(values))
    return (
        head + struct.pack("<HH2sHL", PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF, b"OW", 0, 2) + b"\0\0"
    )


def _element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value
