"""Findings about regions and references within the file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pydicom import Dataset
from pydicom.uid import CTImageStorage

from oarflow.rtstruct.lint.context import Context
from oarflow.rtstruct.lint.rules import LintFinding
from oarflow.rtstruct.reader import (
    PYDICOM_ERRORS,
    integer,
    items,
    referenced_images,
    region_frames,
    text,
)

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+~^ -]*")
NAME_LENGTH = 16

UNUSED_SHARE = 0.2
"""Share of referenced images with contours below which there is a finding."""

INTERPRETED_TYPES = frozenset(
    {
        "EXTERNAL", "PTV", "CTV", "GTV", "TREATED_VOLUME", "IRRAD_VOLUME", "BOLUS", "AVOIDANCE",
        "ORGAN", "MARKER", "REGISTRATION", "ISOCENTER", "CONTRAST_AGENT", "CAVITY",
        "BRACHY_CHANNEL", "BRACHY_ACCESSORY", "BRACHY_SRC_APP", "BRACHY_CHNL_SHLD", "SUPPORT",
        "FIXATION", "DOSE_REGION", "CONTROL", "DOSE_MEASUREMENT",
    }
)  # fmt: skip
ALGORITHMS = frozenset({"AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"})


def region_findings(context: Context) -> Iterator[LintFinding]:
    """Findings about numbers, names, types and colours of regions."""
    dataset = context.dataset
    definitions = items(dataset, "StructureSetROISequence")
    drawings = items(dataset, "ROIContourSequence")
    observations = items(dataset, "RTROIObservationsSequence")
    yield from _numbers(definitions, drawings, observations)
    yield from _emptiness(definitions, drawings)
    yield from _names([text(item, "ROIName") for item in definitions])
    types = {
        integer(o, "ReferencedROINumber"): text(o, "RTROIInterpretedType") for o in observations
    }
    untyped = [integer(d, "ROINumber") for d in definitions]
    untyped = [n for n in untyped if types.get(n, "") not in INTERPRETED_TYPES]
    if untyped:
        yield LintFinding("INTERPRETED_TYPE", len(untyped), _regions(untyped))
    silent = [
        integer(d, "ROINumber")
        for d in definitions
        if text(d, "ROIGenerationAlgorithm") not in ALGORITHMS
    ]
    if silent:
        yield LintFinding("GENERATION_ALGORITHM", len(silent), _regions(silent))
    odd = [integer(d, "ReferencedROINumber") for d in drawings if not _colour_is_sound(d)]
    if odd:
        yield LintFinding("COLOUR", len(odd), _regions(odd))
    said = sum(
        "NOT FOR CLINICAL USE" in f"{text(d, 'ROIName')} {text(d, 'ROIDescription')}".upper()
        for d in definitions
    )
    if said:
        yield LintFinding("NOT_FOR_CLINICAL_USE", said, "regions")


def _regions(numbers: list[int | None]) -> str:
    shown = ", ".join("?" if n is None else str(n) for n in numbers[:6])
    return f"regions number {shown}" + (" and more" if len(numbers) > 6 else "")


def _numbers(
    definitions: list[Dataset], drawings: list[Dataset], observations: list[Dataset]
) -> Iterator[LintFinding]:
    defined = [integer(item, "ROINumber") for item in definitions]
    drawn = [integer(item, "ReferencedROINumber") for item in drawings]
    observed = [integer(item, "ReferencedROINumber") for item in observations]
    wrong = []
    for numbers, name in ((defined, "defined"), (drawn, "drawn")):
        repeated = [n for n, count in Counter(numbers).items() if count > 1]
        if repeated:
            wrong.append(f"{len(repeated)} {name} twice")
    for numbers, name in ((drawn, "drawn"), (observed, "observed")):
        if set(numbers) - set(defined):
            wrong.append(f"{len(set(numbers) - set(defined))} {name} but not defined")
        if set(defined) - set(numbers):
            wrong.append(f"{len(set(defined) - set(numbers))} defined but not {name}")
    if wrong:
        yield LintFinding("ROI_NUMBERS", len(wrong), "; ".join(wrong))


def _emptiness(definitions: list[Dataset], drawings: list[Dataset]) -> Iterator[LintFinding]:
    full = {integer(d, "ReferencedROINumber") for d in drawings if items(d, "ContourSequence")}
    empty = [n for item in definitions if (n := integer(item, "ROINumber")) not in full]
    if empty:
        yield LintFinding("EMPTY_ROI", len(empty), _regions(empty))
    hollow = [
        integer(d, "ReferencedROINumber")
        for d in drawings
        if "ContourSequence" in d and not items(d, "ContourSequence")
    ]
    if hollow:
        yield LintFinding("EMPTY_CONTOUR_SEQUENCE", len(hollow), _regions(hollow))


def _names(names: list[str]) -> Iterator[LintFinding]:
    long = sum(not 0 < len(name) <= NAME_LENGTH for name in names)
    if long:
        longest = max(map(len, names))
        yield LintFinding("NAME_LENGTH", long, f"the longest has {longest} characters")
    clashes = len(names) - len({name.lower() for name in names})
    if clashes:
        yield LintFinding("NAME_CLASH", clashes)
    odd = sum(bool(name) and not NAME.fullmatch(name) for name in names)
    if odd:
        yield LintFinding("NAME_CHARACTERS", odd)


def _colour_is_sound(drawing: Dataset) -> bool:
    if "ROIDisplayColor" not in drawing:
        return True
    try:
        parts = [int(v) for v in drawing.get("ROIDisplayColor") or ()]
    except PYDICOM_ERRORS:
        return False
    return len(parts) == 3 and all(0 <= part <= 255 for part in parts)


def reference_findings(context: Context) -> Iterator[LintFinding]:
    """Findings about frames, series and images that the file references."""
    dataset = context.dataset
    frames = items(dataset, "ReferencedFrameOfReferenceSequence")
    named = {text(frame, "FrameOfReferenceUID") for frame in frames} - {""}
    if not frames:
        yield LintFinding("NO_REFERENCED_FRAME", 1)
    if len(frames) > 1:
        yield LintFinding("SEVERAL_FRAMES", len(frames))
    own = [
        (integer(d, "ROINumber"), text(d, "ReferencedFrameOfReferenceUID"))
        for d in items(dataset, "StructureSetROISequence")
    ]
    stray = [number for number, uid in own if not uid or (named and uid not in named)]
    if stray:
        yield LintFinding("ROI_FRAME_UNKNOWN", len(stray), _regions(stray))
    elsewhere = _elsewhere(context)
    if elsewhere:
        yield LintFinding("REGIONS_ON_OTHER_FRAME", len(elsewhere), _regions(elsewhere))
    if not text(dataset, "FrameOfReferenceUID"):
        yield LintFinding("NO_FRAME_UID", 1)
    listed = {text(image, "ReferencedSOPInstanceUID") for image in referenced_images(dataset)}
    if frames and not listed:
        yield LintFinding("NO_IMAGES_REFERENCED", 1)
    without = sum(not contour.images for contour in context.contours)
    if without:
        yield LintFinding("CONTOUR_WITHOUT_IMAGE", without, f"of {len(context.contours)} contours")
    unlisted = {uid for c in context.contours for uid in c.images} - listed
    if unlisted:
        yield LintFinding("CONTOUR_IMAGE_UNLISTED", len(unlisted), "images")
    used = {uid for c in context.contours for uid in c.images}
    if used and len(used & listed) < UNUSED_SHARE * len(listed):
        yield LintFinding("IMAGES_UNUSED", len(listed - used), f"of {len(listed)} images")
    yield from _series(dataset, frames)


def _elsewhere(context: Context) -> list[int | None]:
    """Regions with contours on another frame than the CT's, or than that of most regions."""
    drawn = {contour.roi for contour in context.contours}
    frames = {n: uids for n, uids in region_frames(context.dataset).items() if n in drawn}
    own = Counter(
        image.frame for image in context.ct.values() if image.sop_class_uid == CTImageStorage
    )
    most = own or Counter(uid for uids in frames.values() for uid in sorted(uids))
    main = {uid for uid, _ in most.most_common(1)}
    return [number for number, uids in frames.items() if uids - main]


def _series(dataset: Dataset, frames: list[Dataset]) -> Iterator[LintFinding]:
    series = {
        text(one, "SeriesInstanceUID")
        for frame in frames
        for study in items(frame, "RTReferencedStudySequence")
        for one in items(study, "RTReferencedSeriesSequence")
    }
    if text(dataset, "SeriesInstanceUID") in series - {""}:
        yield LintFinding("SERIES_REUSED", 1)
