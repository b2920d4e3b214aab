"""The input gate: all reasons against a series, from its headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from oarflow.errors import Code, Finding
from oarflow.geometry import STACK_TOLERANCE_MM
from oarflow.intake import identity
from oarflow.intake.choose import Lossy, SeriesRules
from oarflow.intake.decode import value_bits
from oarflow.intake.headers import (
    InstanceHeader,
    common_orientation,
    displaced,
    frame_of,
    gaps_of_steps,
    steps_mm,
)
from oarflow.intake.limits import (
    MAX_MATRIX,
    MAX_RESCALE,
    MAX_SLICES,
    MAX_SPACING_MM,
    MAX_VOXELS,
    MIN_MATRIX,
    MIN_SPACING_MM,
    MIN_TILT_DEGREES,
    PARALLEL_TOLERANCE,
    SPACING_TOLERANCE,
    TILT_AGREEMENT_DEGREES,
)
from oarflow.intake.orientation import contradicts, layout_of
from oarflow.types import FloatArray

_HOUNSFIELD = ("", "HU", "US", "HU_MOD")

Headers = Sequence[InstanceHeader]


def judge(headers: Headers, rules: SeriesRules) -> tuple[Finding, ...]:
    """All findings against one series (at least one header)."""
    found = [
        *identity.invalid(headers),
        *identity.mixed_persons(headers),
        *_mixed(headers),
        *_missing(headers),
        *_size(headers, rules),
        *_values(headers, rules),
        *_same_uid(headers),
    ]
    codes = {finding.code for finding in found}
    if not codes & {Code.MISSING_ORIENTATION, Code.MISSING_POSITION, Code.MIXED_ORIENTATION}:
        found += _stack(headers, rules)
    return tuple(found)


def _mixed(headers: Headers) -> list[Finding]:
    found = []
    for code, name, values in (
        (Code.MIXED_STUDIES, "Study Instance UID", {h.study_uid for h in headers}),
        (
            Code.MIXED_FRAME_OF_REFERENCE,
            "Frame of Reference UID",
            {h.frame_of_reference_uid for h in headers if h.frame_of_reference_uid},
        ),
        (Code.MIXED_MATRIX, "Rows and Columns", {(h.rows, h.columns) for h in headers}),
        (
            Code.UNREADABLE_PIXELS,
            "pixel format",
            {(h.bits_allocated, value_bits(h).low) for h in headers},
        ),
    ):
        if len(values) > 1:
            found.append(Finding(code, f"{len(values)} different values of {name}"))
    orientations = np.array([h.orientation for h in headers if h.orientation is not None])
    if len(orientations) and np.ptp(orientations, axis=0).max() > PARALLEL_TOLERANCE:
        kinds = len(np.unique(orientations.round(4), axis=0))
        found.append(Finding(Code.MIXED_ORIENTATION, f"{kinds} different orientations"))
    spacings = np.array([h.spacing_yx for h in headers if _spacing_valid(h)])
    if len(spacings) and np.any(np.ptp(spacings, axis=0) > SPACING_TOLERANCE * spacings.max(0)):
        kinds = len(np.unique(spacings, axis=0))
        found.append(Finding(Code.MIXED_SPACING, f"{kinds} different pixel spacings"))
    return found


def _spacing_valid(header: InstanceHeader) -> bool:
    spacing = header.spacing_yx
    return spacing is not None and all(MIN_SPACING_MM <= mm <= MAX_SPACING_MM for mm in spacing)


def _rescale_valid(header: InstanceHeader) -> bool:
    slope, intercept = header.slope, header.intercept
    return (
        slope is not None
        and intercept is not None
        and 1 / MAX_RESCALE < slope < MAX_RESCALE
        and abs(intercept) < MAX_RESCALE
    )


def _missing(headers: Headers) -> list[Finding]:
    tests: tuple[tuple[Code, str, Callable[[InstanceHeader], bool]], ...] = (
        (Code.MISSING_POSITION, "Image Position", lambda h: h.position_lps is not None),
        (Code.MISSING_ORIENTATION, "Image Orientation", lambda h: h.orientation is not None),
        (Code.MISSING_SPACING, "Pixel Spacing", _spacing_valid),
        (Code.MISSING_RESCALE, "rescale", _rescale_valid),
        (
            Code.MISSING_FRAME_OF_REFERENCE,
            "Frame of Reference UID",
            lambda h: bool(h.frame_of_reference_uid),
        ),
    )
    found = []
    for code, name, holds in tests:
        failing = sum(not holds(header) for header in headers)
        if failing:
            found.append(Finding(code, f"no valid {name} in {failing} of {len(headers)} slices"))
    return found


def _size(headers: Headers, rules: SeriesRules) -> list[Finding]:
    found = []
    if len(headers) < rules.min_slices:
        found.append(
            Finding(
                Code.TOO_FEW_SLICES, f"{len(headers)} slices, at least {rules.min_slices} needed"
            )
        )
    if rules.expected_slices is not None and len(headers) < rules.expected_slices:
        found.append(
            Finding(
                Code.MISSING_SLICE,
                f"{len(headers)} slices, {rules.expected_slices} expected",
            )
        )
    rows = max(header.rows or 0 for header in headers)
    columns = max(header.columns or 0 for header in headers)
    if max(rows, columns) > MAX_MATRIX or len(headers) > MAX_SLICES:
        found.append(Finding(Code.TOO_LARGE, f"{len(headers)} slices of {rows} x {columns}"))
    elif rows * columns * len(headers) > MAX_VOXELS:
        found.append(Finding(Code.TOO_LARGE, f"more than {MAX_VOXELS} voxels"))
    small = sum(min(h.rows or 0, h.columns or 0) < MIN_MATRIX for h in headers)
    if small:
        found.append(
            Finding(Code.UNREADABLE_PIXELS, f"{small} slices have too small an image matrix")
        )
    return found


def _values(headers: Headers, rules: SeriesRules) -> list[Finding]:
    found = []
    for code, reason, holds in (
        (
            Code.IMPLAUSIBLE_HU,
            "are not MONOCHROME2",
            lambda h: h.photometric in ("MONOCHROME2", ""),
        ),
        (Code.IMPLAUSIBLE_HU, "have no more than 8 bits", lambda h: (h.bits_stored or 16) > 8),
        (
            Code.IMPLAUSIBLE_HU,
            "have a Rescale Type other than HU",
            lambda h: h.rescale_type in _HOUNSFIELD,
        ),
        (
            Code.UNREADABLE_PIXELS,
            "have contradictory Bits Allocated, Bits Stored and High Bit",
            _bits_sound,
        ),
        (
            Code.LOSSY_COMPRESSION,
            "were compressed with loss",
            lambda h: rules.lossy != Lossy.REFUSE or not lossy(h),
        ),
    ):
        failing = sum(not holds(header) for header in headers)
        if failing:
            found.append(Finding(code, f"{failing} of {len(headers)} slices {reason}"))
    return found


def _bits_sound(header: InstanceHeader) -> bool:
    allocated, stored = header.bits_allocated, header.bits_stored
    if allocated is not None and stored is not None and stored <= 8:
        return True
    return allocated in (16, 32) and stored is not None and value_bits(header).usable


LOSSY_SYNTAXES = frozenset(
    {
        "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.51",
        "1.2.840.10008.1.2.4.81",
        "1.2.840.10008.1.2.4.91",
        "1.2.840.10008.1.2.4.203",
    }
)
"""Transfer syntaxes with lossy compression, or with possibly lossy compression."""


def lossy(header: InstanceHeader) -> bool:
    """Whether a slice was, or may have been, compressed with loss."""
    return header.lossy or header.transfer_syntax_uid in LOSSY_SYNTAXES


def _same_uid(headers: Headers) -> list[Finding]:
    """Objects with one SOP Instance UID that differ in position or content."""
    first: dict[str, InstanceHeader] = {}
    conflicts = sum(
        _geometry_and_scaling(first.setdefault(header.sop_instance_uid, header))
        != _geometry_and_scaling(header)
        for header in headers
    )
    if not conflicts:
        return []
    return [Finding(Code.DUPLICATE_CONFLICT, f"{conflicts} objects share a UID and differ")]


def _geometry_and_scaling(header: InstanceHeader) -> tuple[object, ...]:
    geometry = (header.position_lps, header.orientation, header.spacing_yx)
    return (*geometry, header.rows, header.columns, header.slope, header.intercept)


def _stack(headers: Headers, rules: SeriesRules) -> list[Finding]:
    """Findings on the geometry of the stack; orientations and positions are valid and parallel."""
    across, down, normal = frame_of(common_orientation(headers))
    positions = np.array([header.position_lps for header in headers])
    relative = positions - positions[np.argmin(positions @ normal)]
    sideways = relative - np.outer(relative @ normal, normal)
    shear_mm = float(np.linalg.norm(sideways, axis=1).max())
    found = []
    if shear_mm > STACK_TOLERANCE_MM:
        found.append(
            Finding(Code.GANTRY_TILT, f"slices are up to {shear_mm:.2f} mm away from their normal")
        )
    elif _tilted(headers, normal):
        found.append(Finding(Code.GANTRY_TILT, "the orientation agrees with a gantry tilt"))
    angle = layout_of(across, down).oblique_degrees
    if angle > rules.max_oblique_degrees:
        found.append(
            Finding(
                Code.OBLIQUE,
                f"turned by {angle:.1f} degrees, at most {rules.max_oblique_degrees:g} allowed",
            )
        )
    steps = steps_mm(headers)
    missing = gaps_of_steps(steps)
    if missing:
        longest = max(missing, key=lambda gap: gap.step_mm)
        found.append(
            Finding(
                Code.MISSING_SLICE,
                f"{len(missing)} gap{'s' if len(missing) > 1 else ''}: "
                f"{longest.step_mm:.2f} mm instead of {longest.expected_mm:.2f} mm",
            )
        )
    if off := displaced(steps):
        found.append(
            Finding(Code.DISPLACED_SLICE, f"{len(off)} slices are not midway between neighbours")
        )
    wrong = sum(contradicts(header.patient_position, across, down) for header in headers)
    if wrong and not rules.ignore_patient_position:
        found.append(
            Finding(
                Code.POSITION_CONTRADICTS_ORIENTATION,
                f"Patient Position of {wrong} slices contradicts their orientation",
            )
        )
    return found


def _tilted(headers: Headers, normal: FloatArray) -> bool:
    """Whether Gantry/Detector Tilt agrees with the angle between the slices' normal and z."""
    lean = float(np.degrees(np.arccos(min(1.0, abs(float(normal[2]))))))
    tilts = {abs(header.gantry_tilt_degrees or 0.0) for header in headers}
    return any(
        tilt > MIN_TILT_DEGREES and abs(tilt - lean) < min(TILT_AGREEMENT_DEGREES, tilt)
        for tilt in tilts
    )
