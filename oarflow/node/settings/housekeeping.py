"""Settings of the section `housekeeping`."""

from __future__ import annotations

from pydantic import Field

from oarflow.node.settings.fields import Section


class HousekeepingSettings(Section):
    """When files are deleted; null: never. Times count while the node runs.

    The rows of the database stay.
    """

    images_hours: float | None = Field(default=72, ge=0)
    """Received images, after delivery."""
    results_days: float | None = Field(default=90, ge=0)
    """Results, after delivery."""
    ended_days: float | None = Field(default=30, ge=0)
    """Images and results of refused, failed and cancelled studies."""
    undelivered_days: float | None = Field(default=None, ge=0)
    """Images of contoured studies that have no destination."""
    others_days: float | None = Field(default=30, ge=0)
    """Images without a job, such as MR, after the last of their series arrived."""
    quota_gb: float | None = Field(default=None, gt=0)
    """With more images than this, those of delivered studies are deleted early, the oldest first;
    null: no quota."""
    every_minutes: float = Field(default=10, gt=0)
    """How often the node looks for files to delete."""
