"""Instances arrive: studies, series, instances and the jobs that they start, restart or renew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import cast

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.orm import Session

from oarflow.node.database import jobs
from oarflow.node.database.models import Instance, Job, ReceivedStudy, Series, now
from oarflow.node.database.quick import Transaction
from oarflow.node.states import RESTARTABLE, State


class Standing(StrEnum):
    """What an instance is to its series."""

    NEW = "new"
    IDENTICAL = "identical"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Origin:
    """Who sent an instance, from where, to which of our titles."""

    calling_ae: str
    called_ae: str = ""
    address: str = ""


@dataclass(frozen=True)
class Texts:
    """Values of those columns of a study and a series that are for people."""

    study: dict[str, str]
    series: dict[str, str]


@dataclass(frozen=True)
class Arrival:
    """An instance that is on disk, and what its data set says.

    texts: reads what a new study or series needs. sha256: of the data set as it was sent. path:
    below the storage folder. expected: count of the series's instances, if the sender tells.
    """

    origin: Origin
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    sha256: str
    size: int
    path: str
    folder: str
    modality: str
    texts: Callable[[], Texts]
    expected: int | None = None


@dataclass(frozen=True)
class JournalledInstance:
    """A journalled instance, as its row has it."""

    series_id: int
    sha256: str
    path: str
    deleted_at: datetime | None


_SERIES, _INSTANCES, _JOBS = (cast(Table, one.__table__) for one in (Series, Instance, Job))

_KNOWN = (
    select(_INSTANCES.c.series_id, _INSTANCES.c.sha256, _INSTANCES.c.path, _INSTANCES.c.deleted_at)
    .join(_SERIES)
    .where(
        _SERIES.c.folder == bindparam("folder"),
        _INSTANCES.c.sop_instance_uid == bindparam("sop_instance_uid"),
    )
    .order_by(_INSTANCES.c.conflict, _INSTANCES.c.id)
)
_TOUCH = (
    update(_SERIES)
    .where(_SERIES.c.folder == bindparam("its_folder"))
    .values(last_received_at=bindparam("moment"))
    .returning(_SERIES.c.id, _SERIES.c.expected, _SERIES.c.resent)
)
_AS_ARRIVED = (
    "sop_instance_uid",
    "sop_class_uid",
    "transfer_syntax_uid",
    "sha256",
    "size",
    "path",
)
"""Columns of an instance that an arrival has as they are."""

_NEWEST = (
    select(_JOBS.c.state)
    .where(_JOBS.c.series_id == bindparam("series_id"))
    .order_by(_JOBS.c.version.desc())
    .limit(1)
    .with_for_update()
    .scalar_subquery()
)
_SAME_UID = select(_INSTANCES.c.id).where(
    _INSTANCES.c.series_id == bindparam("series_id"),
    _INSTANCES.c.sop_instance_uid == bindparam("sop_instance_uid"),
)
_ALL = ("series_id", *_AS_ARRIVED, "conflict", "received_at")
_ADD_IF_USUAL = (
    insert(_INSTANCES)
    .from_select(
        _ALL,
        select(*(bindparam(name, type_=_INSTANCES.c[name].type) for name in _ALL)).where(
            ~_SAME_UID.exists(),
            _NEWEST.is_not_distinct_from(bindparam("usual", type_=_JOBS.c.state.type)),
        ),
        include_defaults=False,
    )
    .returning(_INSTANCES.c.id)
)
_ADD = insert(_INSTANCES)


def known(session: Session, folder: str, sop_instance_uid: str) -> Sequence[JournalledInstance]:
    """What came before under this UID in the series of this folder, the accepted one first."""
    parameters = {"folder": folder, "sop_instance_uid": sop_instance_uid}
    return [JournalledInstance(*row) for row in session.connection().execute(_KNOWN, parameters)]


def came_again(session: Session, series_id: int) -> Standing:
    """An instance of the series, unchanged, is here once more."""
    series = session.get_one(Series, series_id, with_for_update=True)
    series.resent += 1
    series.last_received_at = now()
    return Standing.IDENTICAL


def journal(session: Session, arrival: Arrival, contoured: bool) -> tuple[Standing, int]:
    """Write an instance down, and what follows for its series's job.

    contoured: whether series of this modality have jobs. Returns what the instance is, and the
    series's id.
    """
    series = _series(session, arrival)
    same_uid = session.scalars(
        select(Instance).where(
            Instance.series_id == series.id, Instance.sop_instance_uid == arrival.sop_instance_uid
        )
    ).all()
    same = next((one for one in same_uid if one.sha256 == arrival.sha256), None)
    if same is not None:
        if same.deleted_at is not None:
            same.deleted_at, same.path = None, arrival.path
        return came_again(session, series.id), series.id
    standing = Standing.CONFLICT if same_uid else Standing.NEW
    values = _values(arrival, series.id, conflict=standing is Standing.CONFLICT)
    session.connection().execute(_ADD, values)
    series.last_received_at = now()
    if arrival.expected is not None:
        series.expected = max(series.expected or 0, arrival.expected)
    if contoured:
        _job(session, series, standing)
    return standing, series.id


def one_more(transaction: Transaction, arrival: Arrival, contoured: bool) -> bool:
    """The usual case in two statements: one more instance of a series that is being received.

    False where anything else is so: then journal() has to decide, and nothing but the moment is
    written.
    """
    moment = now()
    touch = {"its_folder": arrival.folder, "moment": moment}
    for series_id, expected, resent in transaction.execute(_TOUCH, touch).fetchall():
        if resent or arrival.expected not in (None, expected):
            return False
        values = _values(arrival, series_id, conflict=False) | {
            "received_at": moment,
            "usual": State.RECEIVED if contoured else None,
        }
        return bool(transaction.execute(_ADD_IF_USUAL, values).fetchall())
    return False


def one_more_in_vain(transaction: Transaction, arrival: Arrival) -> None:
    """Execute what one_more() does, of a series that there is not: nothing is written."""
    moment = now()
    transaction.execute(_TOUCH, {"its_folder": arrival.folder, "moment": moment}).fetchall()
    values = _values(arrival, 0, conflict=False)
    its_own = {"received_at": moment, "usual": State.RECEIVED}
    transaction.execute(_ADD_IF_USUAL, values | its_own).fetchall()


def _values(arrival: Arrival, series_id: int, *, conflict: bool) -> dict[str, object]:
    as_arrived = {name: getattr(arrival, name) for name in _AS_ARRIVED}
    return as_arrived | {"series_id": series_id, "conflict": conflict}


def _series(session: Session, arrival: Arrival) -> Series:
    study = session.scalar(
        select(ReceivedStudy).where(
            ReceivedStudy.study_uid == arrival.study_uid,
            ReceivedStudy.calling_ae == arrival.origin.calling_ae,
        )
    )
    if study is None:
        study = ReceivedStudy(
            study_uid=arrival.study_uid,
            calling_ae=arrival.origin.calling_ae,
            **arrival.texts().study,
        )
        session.add(study)
        session.flush()
    series = session.scalar(
        select(Series)
        .where(Series.study_id == study.id, Series.series_uid == arrival.series_uid)
        .with_for_update()
    )
    if series is None:
        series = Series(
            study_id=study.id,
            series_uid=arrival.series_uid,
            modality=arrival.modality,
            called_ae=arrival.origin.called_ae,
            address=arrival.origin.address,
            folder=arrival.folder,
            resent=0,
            **arrival.texts().series,
        )
        session.add(series)
        session.flush()
    return series


def newest_job(session: Session, series_id: int) -> Job | None:
    """The job of a series's latest version."""
    query = select(Job).where(Job.series_id == series_id).order_by(Job.version.desc()).limit(1)
    return session.scalar(query.with_for_update())


def _job(session: Session, series: Series, standing: Standing) -> None:
    """A first job, a restart of what is not delivered, or a new version of what is."""
    job = newest_job(session, series.id)
    if job is None:
        jobs.create(session, series.id, 1, "the first instance arrived")
        return
    what = "an instance with other content" if standing is Standing.CONFLICT else "an instance"
    if job.state in RESTARTABLE:
        jobs.move(session, job, State.RECEIVED, f"{what} came late")
    elif job.state is not State.RECEIVED:
        reason = f"{what} came after version {job.version} was {job.state}"
        jobs.create(session, series.id, job.version + 1, reason)
    series.resent = 0


def paths(session: Session) -> set[str]:
    """Every file that is journalled and not deleted since."""
    return set(session.scalars(select(Instance.path).where(Instance.deleted_at.is_(None))))


def announce(session: Session, study_uid: str, series_uid: str, count: int) -> None:
    """The sender tells how many instances a series has. For what is here of it already."""
    query = (
        select(Series)
        .join(ReceivedStudy)
        .where(ReceivedStudy.study_uid == study_uid, Series.series_uid == series_uid)
    )
    for series in session.scalars(query):
        series.expected = max(series.expected or 0, count)
