"""The regions of one frame of reference in a structure set that has several.

Coordinates of two frames are related only by a registration, which is not applied here.
"""

from __future__ import annotations

from dataclasses import replace

from oarflow.rtstruct.model import StructureSet

OTHER_FRAME = "on another frame of reference than the CT, or on several: left out"
"""The remark on a region that `on_frame` leaves out."""


def on_frame(
    structures: StructureSet, frame_of_reference_uid: str | None
) -> tuple[StructureSet, tuple[str, ...]]:
    """The regions of one frame of reference, and the names of omitted regions with contours.

    frame_of_reference_uid: of the CT; None or empty: of most regions. A region without a frame of
    reference stays.
    """
    uid = frame_of_reference_uid or structures.frame_of_reference_uid
    kept = tuple(roi for roi in structures.rois if not roi.frames_of_reference - {uid})
    gone = tuple(roi.name for roi in structures.rois if roi not in kept and roi.contours)
    return replace(structures, rois=kept, frame_of_reference_uid=uid), gone
