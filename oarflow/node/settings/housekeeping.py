"""Settings of the section `housekeeping`."""

from __future__ import annotations

from pydantic import Field

from oarflow.node.settings.fields import Section


class HousekeepingSettings(Section):
    """The section `housekeeping`. What is deleted is files; the rows of the database stay.

    images_hours: how long after delivery the received images stay. results_days: how long after
    delivery the application's results stay. ended_days: how long images and results of what was
    refused, failed or cancelled stay. undelivered_days: how long images stay of what was contoured
    and has no destination. others_days: how long images stay that have no job, such as MR, after
    the last of their series came. None: for ever. All of it is time in which the node ran.
    quota_gb: with more images than this, those of studies that a destination has are deleted
    before their time, the oldest first. every_minutes: how often it looks.
    """

    images_hours: float | None = Field(default=72, ge=0)
    results_days: float | None = Field(default=90, ge=0)
    ended_days: float | None = Field(default=30, ge=0)
    undelivered_days: float | None = Field(default=None, ge=0)
    others_days: float | None = Field(default=30, ge=0)
    quota_gb: float | None = Field(default=None, gt=0)
    every_minutes: float = Field(default=10, gt=0)
