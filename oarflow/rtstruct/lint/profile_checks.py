"""Findings about a structure set compared with a planning system's profile."""

from __future__ import annotations

from collections.abc import Iterator

from oarflow.rtstruct.contours import HoleStyle
from oarflow.rtstruct.lint.context import Context
from oarflow.rtstruct.lint.rules import LintFinding
from oarflow.rtstruct.model import GeometricType
from oarflow.rtstruct.reader import items, text


def profile_findings(context: Context) -> Iterator[LintFinding]:
    """Findings about the profile's limits; none without a profile."""
    profile, dataset = context.profile, context.dataset
    if profile is None:
        return
    names = [text(item, "ROIName") for item in items(dataset, "StructureSetROISequence")]
    long = sum(len(name) > profile.name_length for name in names)
    long += len(text(dataset, "StructureSetLabel")) > profile.label_length
    if long:
        yield LintFinding("PROFILE_NAME", long)
    many = sum(len(c.points) > profile.points_per_contour for c in context.contours)
    if many:
        yield LintFinding(
            "PROFILE_POINTS", many, f"contours over {profile.points_per_contour} points"
        )
    xor = sum(contour.type == GeometricType.XOR for contour in context.contours)
    if xor and profile.hole_style is HoleStyle.KEYHOLE:
        yield LintFinding("PROFILE_HOLES", xor, "contours")
    types = [
        text(item, "RTROIInterpretedType") for item in items(dataset, "RTROIObservationsSequence")
    ]
    unknown = sum(kind not in profile.interpreted_types for kind in types)
    if unknown:
        yield LintFinding("PROFILE_TYPES", unknown, "regions")
    fine = sum(_decimals(contour.raw) > profile.decimals for contour in context.contours)
    if fine:
        yield LintFinding("PROFILE_DECIMALS", fine, f"contours over {profile.decimals} decimals")


def _decimals(raw: bytes) -> int:
    """The greatest number of decimals in a contour's data, without exponents."""
    parts = (number.strip().partition(b".")[2] for number in raw.split(b"\\"))
    return max((len(part.partition(b"e")[0].rstrip(b"0")) for part in parts), default=0)
