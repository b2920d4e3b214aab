"""The tables. Times are UTC and for people; decisions use counts, not the clock."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from oarflow.node.states import State

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Utc(TypeDecorator[datetime]):
    """A time with zone, stored as UTC in every database."""

    impl = DateTime(timezone=False)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def new_key() -> str:
    """A random name for URLs and folders."""
    return uuid.uuid4().hex


class Base(DeclarativeBase):
    """Base class of all tables."""

    metadata = MetaData(naming_convention=NAMING)


StateColumn = Enum(
    State,
    native_enum=False,
    length=16,
    create_constraint=False,
    values_callable=lambda states: [state.value for state in states],
)


class ReceivedStudy(Base):
    """A study of one sender, and the only table with identifiers of the patient."""

    __tablename__ = "studies"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(String(64), index=True)
    calling_ae: Mapped[str] = mapped_column(String(16))
    patient_id: Mapped[str] = mapped_column(Text, default="")
    patient_name: Mapped[str] = mapped_column(Text, default="")
    birth_date: Mapped[str] = mapped_column(String(16), default="")
    sex: Mapped[str] = mapped_column(String(16), default="")
    accession_number: Mapped[str] = mapped_column(Text, default="")
    study_date: Mapped[str] = mapped_column(String(16), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    received_at: Mapped[datetime] = mapped_column(Utc, default=now)

    series: Mapped[list[Series]] = relationship(back_populates="study")

    __table_args__ = (UniqueConstraint("study_uid", "calling_ae"),)


class Series(Base):
    """A series of a study.

    expected: number of instances that the sender announced. resent: instances that arrived again,
    unchanged, since the series was last complete.
    """

    __tablename__ = "series"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    series_uid: Mapped[str] = mapped_column(String(64), index=True)
    modality: Mapped[str] = mapped_column(String(16), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    station_name: Mapped[str] = mapped_column(Text, default="")
    called_ae: Mapped[str] = mapped_column(String(16), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    folder: Mapped[str] = mapped_column(String(64), unique=True)
    expected: Mapped[int | None] = mapped_column(default=None)
    resent: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime] = mapped_column(Utc, default=now)
    last_received_at: Mapped[datetime] = mapped_column(Utc, default=now)

    study: Mapped[ReceivedStudy] = relationship(back_populates="series")
    instances: Mapped[list[Instance]] = relationship(back_populates="series")
    jobs: Mapped[list[Job]] = relationship(back_populates="series", order_by="Job.version")

    __table_args__ = (UniqueConstraint("study_id", "series_uid"),)


class Instance(Base):
    """A received file that is safe on disk.

    path: below the storage folder. sha256: of the data set as sent. conflict: an instance with the
    same UID and other content arrived before. deleted_at: when the file was deleted; the row stays.
    """

    __tablename__ = "instances"

    id: Mapped[int] = mapped_column(primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"), index=True)
    sop_instance_uid: Mapped[str] = mapped_column(String(64))
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    path: Mapped[str] = mapped_column(String(255), unique=True)
    conflict: Mapped[bool] = mapped_column(default=False)
    received_at: Mapped[datetime] = mapped_column(Utc, default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(Utc, default=None)

    series: Mapped[Series] = relationship(back_populates="instances")

    __table_args__ = (UniqueConstraint("series_id", "sop_instance_uid", "sha256"),)


class Job(Base):
    """One version of one series, from its first instance to delivery.

    key: for URLs. digest: of the instances' UIDs and contents once complete. epoch: the job's
    SOURCE_DATE_EPOCH. attempts: number of runs. progress: the application's last report, as
    {stage, organ, number, total}. output: the folder of the accepted run, below the storage folder.
    refusal: a reason code. template_set_id: the templates that every run of the job uses.
    """

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(32), unique=True, default=new_key)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"))
    version: Mapped[int] = mapped_column(default=1)
    state: Mapped[State] = mapped_column(StateColumn, default=State.RECEIVED, index=True)
    state_at: Mapped[datetime] = mapped_column(Utc, default=now)
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)
    digest: Mapped[str] = mapped_column(String(64), default="")
    epoch: Mapped[int | None] = mapped_column(default=None)
    attempts: Mapped[int] = mapped_column(default=0)
    progress: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    output: Mapped[str] = mapped_column(String(255), default="")
    exit_status: Mapped[int | None] = mapped_column(default=None)
    refusal: Mapped[str] = mapped_column(String(64), default="")
    template_set_id: Mapped[int | None] = mapped_column(default=None)

    series: Mapped[Series] = relationship(back_populates="jobs")
    steps: Mapped[list[Step]] = relationship(back_populates="job", order_by="Step.id")
    deliveries: Mapped[list[JobDelivery]] = relationship(
        back_populates="job", order_by="JobDelivery.id"
    )

    __table_args__ = (UniqueConstraint("series_id", "version"),)


class StoredTemplates(Base):
    """A set of templates that was accepted. digest: empty without templates. texts: files by name.

    Jobs name their set by its ID, without a constraint, which SQLite could add only with the table.
    """

    __tablename__ = "template_sets"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    texts: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    accepted_at: Mapped[datetime] = mapped_column(Utc, default=now)


class Step(Base):
    """A change of a job's state. before: None for the first. actor: "node", or a user's name."""

    __tablename__ = "steps"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    at: Mapped[datetime] = mapped_column(Utc, default=now)
    before: Mapped[State | None] = mapped_column(StateColumn, default=None)
    after: Mapped[State] = mapped_column(StateColumn)
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(64), default="node")

    job: Mapped[Job] = relationship(back_populates="steps")


class JobDelivery(Base):
    """The delivery of one job to one destination.

    round: 1 for the first, one more each time it is sent again. kinds: output kinds, as
    result.json names them. sent: what the peer has confirmed, {path: sha256}. commitment: state
    of the storage commitment, with its transaction UID.
    """

    __tablename__ = "deliveries"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    destination: Mapped[str] = mapped_column(String(64))
    round: Mapped[int] = mapped_column(default=1)
    kinds: Mapped[list[str]] = mapped_column(JSON, default=list)
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)
    next_at: Mapped[datetime] = mapped_column(Utc, default=now)
    finished_at: Mapped[datetime | None] = mapped_column(Utc, default=None)
    sent: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    commitment: Mapped[str] = mapped_column(String(16), default="")
    transaction_uid: Mapped[str] = mapped_column(String(64), default="", index=True)

    job: Mapped[Job] = relationship(back_populates="deliveries")

    __table_args__ = (UniqueConstraint("job_id", "destination", "round"),)


class AlarmEntry(Base):
    """An alarm: a job waits for a person.

    event: the job's state, as in the settings. destination: of a dead letter. told: the channels
    that have sent it.
    """

    __tablename__ = "alarms"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    event: Mapped[str] = mapped_column(String(16))
    destination: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(16), index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    told: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)
    next_at: Mapped[datetime] = mapped_column(Utc, default=now)
    finished_at: Mapped[datetime | None] = mapped_column(Utc, default=None)

    job: Mapped[Job] = relationship()


class Lease(Base):
    """A right to work on something. beats: grows with each heartbeat of the owner."""

    __tablename__ = "leases"

    resource: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(128))
    token: Mapped[str] = mapped_column(String(32), unique=True, default=new_key)
    taken_at: Mapped[datetime] = mapped_column(Utc, default=now)
    beats: Mapped[int] = mapped_column(default=0)
    beaten_at: Mapped[datetime] = mapped_column(Utc, default=now)


class Period(Base):
    """A time in which the node ran and its clock did not jump. Only such time ages files."""

    __tablename__ = "periods"

    id: Mapped[int] = mapped_column(primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(Utc, default=now)
    seen_at: Mapped[datetime] = mapped_column(Utc, default=now)


class User(Base):
    """A user of the web page. role: viewer or operator."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(16))
    disabled: Mapped[bool] = mapped_column(default=False)
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None] = mapped_column(Utc, default=None)
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)


class WebSession(Base):
    """A sign-in. token_hash: SHA-256 of the cookie's value."""

    __tablename__ = "web_sessions"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Utc, default=now)
    expires_at: Mapped[datetime] = mapped_column(Utc)


class AuditEntry(Base):
    """What a person did or saw. Triggers allow only new rows.

    chain: SHA-256 of the row and of the chain before, so that a gap shows.
    """

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Utc, default=now)
    user: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64), default="")
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(64), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    chain: Mapped[str] = mapped_column(String(64), default="")


Index("ix_deliveries_due", JobDelivery.state, JobDelivery.next_at)
