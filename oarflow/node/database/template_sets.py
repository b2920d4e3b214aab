"""Sets of templates as rows. The newest one is in force; a job keeps the one it was queued with."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from oarflow.node.database.models import Job, StoredTemplates
from oarflow.templates.template import TemplateSet


def current(session: Session) -> StoredTemplates | None:
    """The set in force; None before the first one."""
    return session.scalar(select(StoredTemplates).order_by(StoredTemplates.id.desc()).limit(1))


def accept(session: Session, templates: TemplateSet) -> bool:
    """Put a set into force, which may be empty. Returns whether it differs from the one before."""
    digest = templates.digest if templates.templates else ""
    before = current(session)
    if digest == ("" if before is None else before.digest):
        return False
    session.add(StoredTemplates(digest=digest, texts=dict(templates.texts)))
    return True


def pin(session: Session, job: Job) -> None:
    """Let a job take the set in force."""
    found = current(session)
    job.template_set_id = None if found is None else found.id


def texts_of(session: Session, job: Job) -> dict[str, str]:
    """The files of a job's templates by name; none without templates."""
    if job.template_set_id is None:
        return {}
    return session.get_one(StoredTemplates, job.template_set_id).texts
