"""Findings of a structure set against the CT at hand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from oarflow.rtstruct.check.headers import SliceHeader, raw
from oarflow.rtstruct.lint.context import Context
from oarflow.rtstruct.lint.rules import Finding
from oarflow.rtstruct.reader import items, referenced_images, text

OFF_PLANE_MM = 0.05
"""Greatest distance of a contour from the plane of its image; vendors round to 0.01 mm."""

ON_CENTRE_PIXELS = 0.02
"""A vertex nearer to a pixel centre lies on it."""

TRACED_SHARE = 0.98
"""A region with so many of its vertices on pixel centres was traced through them."""


def ct_findings(context: Context) -> Iterator[Finding]:
    """Identity, references and planes; nothing where no CT was given."""
    if not context.ct:
        return
    yield from _identity(context)
    dataset, ct = context.dataset, context.ct
    named = {text(image, "ReferencedSOPInstanceUID") for image in referenced_images(dataset)}
    named |= {uid for contour in context.contours for uid in contour.images}
    dangling = named - set(ct) - {""}
    if dangling:
        yield Finding("DANGLING_REFERENCES", len(dangling), f"of {len(named)} images referenced")
    yield from _planes(context)


def _identity(context: Context) -> Iterator[Finding]:
    dataset = context.dataset
    header = next(iter(context.ct.values()))
    wrong = [k for k in ("PatientName", "PatientID") if raw(dataset, k) != header.identity[k]]
    if wrong:
        yield Finding("PATIENT_MISMATCH", len(wrong), ", ".join(wrong))
    if raw(dataset, "StudyInstanceUID") != header.identity["StudyInstanceUID"]:
        yield Finding("STUDY_MISMATCH", 1)
    frames = {
        raw(frame, "FrameOfReferenceUID")
        for frame in items(dataset, "ReferencedFrameOfReferenceSequence")
    } | {
        raw(roi, "ReferencedFrameOfReferenceUID")
        for roi in items(dataset, "StructureSetROISequence")
    }
    if header.identity["FrameOfReferenceUID"] not in frames - {b""}:
        yield Finding("FRAME_MISMATCH", 1)


def _planes(context: Context) -> Iterator[Finding]:
    off_plane = off_slice = beyond = 0
    vertices: dict[int | None, list[np.ndarray]] = {}
    for contour in (c for c in context.contours if c.closed and len(c.points) >= 3):
        image = context.ct.get(contour.images[0]) if len(contour.images) == 1 else None
        if image and np.abs(image.to_pixels(contour.points)[1]).max() > OFF_PLANE_MM:
            off_plane += 1
        nearest = min(
            context.ct.values(), key=lambda h: np.abs(h.to_pixels(contour.points[:1])[1][0])
        )
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
            yield Finding(rule, count, f"of {len(context.contours)} contours")
    traced = [roi for roi, parts in vertices.items() if _on_centres(np.concatenate(parts))]
    if traced:
        yield Finding("PIXEL_CENTRES", len(traced), "regions")


def _leaves(pixels: np.ndarray, image: SliceHeader) -> bool:
    high = (image.rows - 0.5, image.columns - 0.5)
    return bool((pixels < -0.5 - ON_CENTRE_PIXELS).any() or (pixels > high).any())


def _on_centres(pixels: np.ndarray) -> bool:
    away = np.abs(pixels - np.rint(pixels)).max(axis=1)
    return len(pixels) >= 20 and float((away <= ON_CENTRE_PIXELS).mean()) >= TRACED_SHARE
