"""Received instances as rows, and the jobs that they start or restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from oarflow.node.database import jobs
from oarflow.node.database.models import Instance, Job, ReceivedStudy, Series, now
from oarflow.node.states import RESTARTABLE, State


class Standing(StrEnum):
    """How an instance relates to what its series has."""

    NEW = "new"
    IDENTICAL = "identical"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Origin:
    """Who sent an instance, from where, and to which AE title of the node."""

    calling_ae: str
    called_ae: str = ""
    address: str = ""


@dataclass(frozen=True)
class Texts:
    """Texts of a study and a series for people."""

    study: dict[str, str]
    series: dict[str, str]


@dataclass(frozen=True)
class Arrival:
    """An instance that is on disk, and what its data set says.

    texts: reads the texts of a new study or series. sha256: of the data set as sent. path: below
    the storage folder. expected: number of the series' instances, if the sender announces it.
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


_AS_ARRIVED = (
    "sop_instance_uid",
    "sop_class_uid",
    "transfer_syntax_uid",
    "sha256",
    "size",
    "path",
)
"""Columns of an instance that are copied from its arrival."""


def known(session: Session, folder: str, sop_instance_uid: str) -> Sequence[Instance]:
    """Instances with this UID in the series of this folder, the accepted one first."""
    query = (
        select(Instance)
        .join(Series)
        .where(Series.folder == folder, Instance.sop_instance_uid == sop_instance_uid)
        .order_by(Instance.conflict, Instance.id)
    )
    return session.scalars(query).all()


def came_again(session: Session, series_id: int) -> Standing:
    """Record that an instance of the series arrived again, unchanged."""
    series = session.get_one(Series, series_id, with_for_update=True)
    series.resent += 1
    series.last_received_at = now()
    return Standing.IDENTICAL


def journal(session: Session, arrival: Arrival, contoured: bool) -> tuple[Standing, int]:
    """Record an instance, and start or restart the job of its series.

    contoured: whether series of this modality have jobs. Returns how the instance relates to its
    series, and the series' ID.
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
    as_arrived = {name: getattr(arrival, name) for name in _AS_ARRIVED}
    conflict = standing is Standing.CONFLICT
    session.add(Instance(series_id=series.id, conflict=conflict, **as_arrived))
    series.last_received_at = now()
    if arrival.expected is not None:
        series.expected = max(series.expected or 0, arrival.expected)
    if contoured:
        _job(session, series, standing)
    return standing, series.id


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
    """The job of a series' latest version."""
    query = select(Job).where(Job.series_id == series_id).order_by(Job.version.desc()).limit(1)
    return session.scalar(query.with_for_update())


def _job(session: Session, series: Series, standing: Standing) -> None:
    """Create a series' first job, restart an undelivered one, or make a new version."""
    job = newest_job(session, series.id)
    if job is None:
        jobs.create(session, series.id, 1, "the first instance arrived")
        return
    what = "an instance with other content" if standing is Standing.CONFLICT else "an instance"
    if job.state in RESTARTABLE:
        jobs.move(session, job, State.RECEIVED, f"{what} arrived late")
    elif job.state is not State.RECEIVED:
        reason = f"{what} arrived after version {job.version} was {job.state}"
        jobs.create(session, series.id, job.version + 1, reason)
    series.resent = 0


def paths(session: Session) -> set[str]:
    """Every file in the database that is not deleted."""
    return set(session.scalars(select(Instance.path).where(Instance.deleted_at.is_(None))))


def announce(session: Session, study_uid: str, series_uid: str, count: int) -> None:
    """Record how many instances a series has, as its sender announces."""
    query = (
        select(Series)
        .join(ReceivedStudy)
        .where(ReceivedStudy.study_uid == study_uid, Series.series_uid == series_uid)
    )
    for series in session.scalars(query):
        series.expected = max(series.expected or 0, count)
