"""The input of the linter's checks: the data set, its contours, the CT, the profile."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from oarflow.errors import Fault
from oarflow.intake.elements import tag_of
from oarflow.intake.files import (
    DamagedError,
    NotDicomError,
    PrivateSyntaxError,
    opened,
    parse_header,
)
from oarflow.rtstruct.check.headers import SliceHeader, read_headers
from oarflow.rtstruct.errors import ReadError
from oarflow.rtstruct.profile import Profile
from oarflow.rtstruct.reader import (
    PYDICOM_ERRORS,
    Document,
    contour_bytes,
    coordinates,
    integer,
    items,
    referenced_images,
    region_frames,
    text,
)

_OF_IMAGES = (tag_of("SOPInstanceUID"), tag_of("ImagePositionPatient"))
_UNREADABLE = (NotDicomError, DamagedError, PrivateSyntaxError)


@dataclass(frozen=True, eq=False)
class Drawn:
    """One contour. points: (n, 3) LPS mm as written; images: its UIDs; raw: its data's bytes."""

    roi: int | None
    type: str
    points: NDArray[np.float64]
    images: tuple[str, ...]
    declared: int | None
    raw: bytes

    @property
    def closed(self) -> bool:
        return self.type in ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")

    @property
    def repeats_first(self) -> bool:
        return len(self.points) > 1 and bool((self.points[0] == self.points[-1]).all())

    @property
    def ring(self) -> NDArray[np.float64]:
        """The points without a repeated first one."""
        return self.points[:-1] if self.repeats_first else self.points


@dataclass(frozen=True, eq=False)
class Context:
    """The file to check. ct: empty without a CT."""

    document: Document
    contours: tuple[Drawn, ...]
    ct: Mapping[str, SliceHeader] = field(default_factory=dict)
    profile: Profile | None = None

    @property
    def dataset(self) -> Dataset:
        return self.document.dataset


def drawn_contours(dataset: Dataset) -> tuple[Drawn, ...]:
    """All contours of a data set. Raises ReadError where numbers cannot be read."""
    return tuple(
        _drawn(integer(drawing, "ReferencedROINumber"), item)
        for drawing in items(dataset, "ROIContourSequence")
        for item in items(drawing, "ContourSequence")
    )


def _drawn(roi: int | None, item: Dataset) -> Drawn:
    images = items(item, "ContourImageSequence")
    return Drawn(
        roi=roi,
        type=text(item, "ContourGeometricType"),
        points=coordinates(item),
        images=tuple(uid for i in images if (uid := text(i, "ReferencedSOPInstanceUID"))),
        declared=integer(item, "NumberOfContourPoints"),
        raw=contour_bytes(item) or b"",
    )


def images_below(folder: Path) -> dict[str, SliceHeader]:
    """Headers of all images with a position below a folder; other files are ignored."""
    found: dict[str, SliceHeader] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            with warnings.catch_warnings(), opened(path) as file:
                warnings.simplefilter("ignore")
                dataset = parse_header(file, _OF_IMAGES).dataset
            if dataset.get("ImagePositionPatient") is None:
                continue
            found |= read_headers({str(dataset.SOPInstanceUID): path})
        except (*PYDICOM_ERRORS, *_UNREADABLE, OSError, Fault, ReadError):
            continue
    return found


def images_meant(
    dataset: Dataset, contours: tuple[Drawn, ...], images: Mapping[str, SliceHeader]
) -> Mapping[str, SliceHeader]:
    """The images with which a structure set can be compared, among those of a whole study.

    The images that it references; if there are none, those of the series that it names; else those
    of its frames of reference; else all.
    """
    frames = items(dataset, "ReferencedFrameOfReferenceSequence")
    studies = [one for frame in frames for one in items(frame, "RTReferencedStudySequence")]
    series = [one for study in studies for one in items(study, "RTReferencedSeriesSequence")]
    named = {text(image, "ReferencedSOPInstanceUID") for image in referenced_images(dataset)}
    named |= {uid for contour in contours for uid in contour.images}
    own_series = {text(one, "SeriesInstanceUID") for one in series}
    own_frames = {uid for tied in region_frames(dataset).values() for uid in tied}
    choices = (
        {uid: image for uid, image in images.items() if uid in named},
        {uid: image for uid, image in images.items() if image.series_uid in own_series},
        {uid: image for uid, image in images.items() if image.frame in own_frames},
    )
    return next(filter(None, choices), images)
