"""Regions of one frame of reference among those of a structure set that holds several.

Coordinates of two frames have nothing to do with each other, unless a registration, which nobody
applies here, relates them.
"""

from __future__ import annotations

from dataclasses import replace

from oarflow.rtstruct.model import StructureSet

OTHER_FRAME = "on another frame of reference than the CT, or on several: left out"
"""What is said of a region that `on_frame` leaves out."""


def on_frame(
    structures: StructureSet, frame_of_reference_uid: str | None
) -> tuple[StructureSet, tuple[str, ...]]:
    """The regions of one frame of reference, and the names of the drawn regions left out.

    frame_of_reference_uid: the CT's; None or empty where there is none: that of most regions. A
    region that nothing in its file ties to a frame stays.
    """
    uid = frame_of_reference_uid or structures.frame_of_reference_uid
    kept = tuple(roi for roi in structures.rois if not roi.frames_of_reference - {uid})
    gone = tuple(roi.name for roi in structures.rois if roi not in kept and roi.contours)
    return replace(structures, rois=kept, frame_of_reference_uid=uid), gone
