"""Findings about a structure set compared with a given CT."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.rtstruct.check.headers import SliceHeader, raw
from oarflow.rtstruct.lint.context import Context, Drawn
from oarflow.rtstruct.lint.rules import LintFinding
from oarflow.rtstruct.reader import items, referenced_images, region_frames, text

OFF_PLANE_MM = 0.05
"""Greatest distance in mm of a contour from the plane of its image; vendors round to 0.01 mm."""

ON_CENTRE_PIXELS = 0.02
"""Greatest distance, in pixels, of a vertex on a pixel centre."""

TRACED_SHARE = 0.98
"""A region with at least this share of vertices on pixel centres was traced through them."""


def ct_findings(context: Context) -> Iterator[LintFinding]:
    """Findings about identity, references and planes; none without a CT."""
    if not context.ct:
        return
    yield from _identity(context)
    dataset, ct = context.dataset, context.ct
    named = {text(image, "ReferencedSOPInstanceUID") for image in referenced_images(dataset)}
    named |= {uid for contour in context.contours for uid in contour.images}
    dangling = named - set(ct) - {""}
    if dangling:
        yield LintFinding(
            "DANGLING_REFERENCES", len(dangling), f"of {len(named)} images referenced"
        )
    yield from _planes(context)


def _identity(context: Context) -> Iterator[LintFinding]:
    dataset = context.dataset
    headers = {header.series_uid: header for header in context.ct.values()}.values()
    wrong = [
        keyword
        for keyword in ("PatientName", "PatientID")
        if any(raw(dataset, keyword) != header.identity[keyword] for header in headers)
    ]
    if wrong:
        yield LintFinding("PATIENT_MISMATCH", len(wrong), ", ".join(wrong))
    studies = {header.identity["StudyInstanceUID"] for header in headers}
    if raw(dataset, "StudyInstanceUID") not in studies:
        yield LintFinding("STUDY_MISMATCH", 1)
    frames = {
        raw(frame, "FrameOfReferenceUID")
        for frame in items(dataset, "ReferencedFrameOfReferenceSequence")
    } | {
        raw(roi, "ReferencedFrameOfReferenceUID")
        for roi in items(dataset, "StructureSetROISequence")
    }
    if not {header.identity["FrameOfReferenceUID"] for header in headers} & (frames - {b""}):
        yield LintFinding("FRAME_MISMATCH", 1)


def _planes(context: Context) -> Iterator[LintFinding]:
    off_plane = off_slice = beyond = 0
    vertices: dict[int | None, list[np.ndarray]] = {}
    frames = region_frames(context.dataset)
    stacks = _stacks(context.ct.values())
    for contour in (c for c in context.contours if c.closed and len(c.points) >= 3):
        image = context.ct.get(contour.images[0]) if len(contour.images) == 1 else None
        stack = _stack_of(contour, image, stacks, frames.get(contour.roi or 0, frozenset()))
        if stack is None:
            continue
        if image and np.abs(image.to_pixels(contour.points)[1]).max() > OFF_PLANE_MM:
            off_plane += 1
        nearest = stack.nearest(contour.points[0])
        pixels, distance = nearest.to_pixels(contour.points)
        if np.abs(distance).max() > OFF_PLANE_MM:
            off_slice += 1
            continue
        beyond += _leaves(pixels, nearest)
        vertices.setdefault(contour.roi, []).append(pixels)
    for rule, count in (
        ("OFF_PLANE", off_plane),
        ("OFF_SLICE", off_slice),
        ("BEYOND_IMAGE", beyond),
    ):
        if count:
            yield LintFinding(rule, count, f"of {len(context.contours)} contours")
    traced = [roi for roi, parts in vertices.items() if _on_centres(np.concatenate(parts))]
    if traced:
        yield LintFinding("PIXEL_CENTRES", len(traced), "regions")


@dataclass(frozen=True, eq=False)
class _Stack:
    """The images of one series. normals: (n, 3). offsets_mm: (n,) of each along its normal."""

    images: tuple[SliceHeader, ...]
    normals: NDArray[np.float64]
    offsets_mm: NDArray[np.float64]

    def nearest(self, point: NDArray[np.float64]) -> SliceHeader:
        """The image with the plane nearest to a point (x, y, z)."""
        return self.images[int(np.argmin(np.abs(self.normals @ point - self.offsets_mm)))]


def _stacks(images: Iterable[SliceHeader]) -> dict[str, _Stack]:
    """The images of each series, by Series Instance UID."""
    series: dict[str, list[SliceHeader]] = defaultdict(list)
    for image in images:
        series[image.series_uid].append(image)
    stacks = {}
    for uid, own in series.items():
        normals = np.array([image.normal for image in own])
        positions = np.array([image.position for image in own])
        stacks[uid] = _Stack(tuple(own), normals, (normals * positions).sum(axis=1))
    return stacks


def _stack_of(
    contour: Drawn, image: SliceHeader | None, stacks: Mapping[str, _Stack], frames: frozenset[str]
) -> _Stack | None:
    """The series on which a contour was drawn; None if it is ambiguous or not given.

    frames: of the contour's region. If no given image has such a frame, the images are of another
    patient or have lost their UIDs; a single series is compared nevertheless.
    """
    fitting = {uid: s for uid, s in stacks.items() if frames == {s.images[0].frame}}
    if image is not None and (image.series_uid in fitting or not frames):
        return stacks[image.series_uid]
    known = {stack.images[0].frame for stack in stacks.values()}
    if not fitting and not (frames and known & frames):
        fitting = dict(stacks)
    return next(iter(fitting.values())) if len(fitting) == 1 else None


def _leaves(pixels: np.ndarray, image: SliceHeader) -> bool:
    low = -0.5 - ON_CENTRE_PIXELS
    high = np.array((image.rows, image.columns)) - 0.5 + ON_CENTRE_PIXELS
    return bool((pixels < low).any() or (pixels > high).any())


def _on_centres(pixels: np.ndarray) -> bool:
    away = np.abs(pixels - np.rint(pixels)).max(axis=1)
    return len(pixels) >= 20 and float((away <= ON_CENTRE_PIXELS).mean()) >= TRACED_SHARE
