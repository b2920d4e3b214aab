"""Settings of the section `housekeeping`."""

from __future__ import annotations

from pydantic import Field

from oarflow.node.settings.fields import Section


class HousekeepingSettings(Section):
    """The section `housekeeping`: when files are deleted. The rows of the database stay.

    Only time in which the node ran counts. With null, nothing is deleted.
    """

    images_hours: float | None = Field(default=72, ge=0)
    """Delete the images of a study this long after all destinations have its contours."""
    results_days: float | None = Field(default=90, ge=0)
    """Delete the results of a study this long after their delivery to all destinations."""
    ended_days: float | None = Field(default=30, ge=0)
    """Delete images and results of refused, failed and cancelled jobs after this time."""
    undelivered_days: float | None = Field(default=None, ge=0)
    """Delete the images of contoured studies without a destination after this time."""
    others_days: float | None = Field(default=30, ge=0)
    """Delete images without a job, such as MR, this long after the last image of their series."""
    quota_gb: float | None = Field(default=None, gt=0)
    """If all images together are larger than this, delete images of delivered studies early, the
    oldest first."""
    every_minutes: float = Field(default=10, gt=0)
    """How often the node looks for files to delete."""
