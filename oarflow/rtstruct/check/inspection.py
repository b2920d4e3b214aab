"""The self-check: reads a written file back and compares it with its masks.

Geometry comes from the raw CT headers (`headers`) and filling from `scanline`; the code that makes
contours uses neither. For each organ three things are checked in patient coordinates: the voxels
(Dice, volume, planes, largest surface distance); the contours' position in the probability field,
which shows shifts and size changes far below a pixel; and, if the volume is given, that its voxels
equal those of the CT files on every slice with a contour.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oarflow.errors import Fault
from oarflow.geometry import Grid
from oarflow.masks import dice_of_sizes
from oarflow.rtstruct.check.headers import SliceHeader, read_headers
from oarflow.rtstruct.check.identity import identity_faults
from oarflow.rtstruct.check.kept import kept_faults, without_kept
from oarflow.rtstruct.check.lattice import Lattice, lattices, voxel_faults
from oarflow.rtstruct.check.surface_fit import SurfaceFit
from oarflow.rtstruct.check.voxel_sets import SPECK_PIXELS, SlicePair, hausdorff_mm
from oarflow.rtstruct.errors import ReadError
from oarflow.rtstruct.model import Contour, GeometricType, Roi
from oarflow.rtstruct.reader import open_document, structure_set
from oarflow.rtstruct.scanline import Window, fill, window_of
from oarflow.structures import ProbabilityField
from oarflow.volume import Source

LARGE_CC = 1.0
"""Organs above this volume (cm3) must meet the limits for large organs."""

MIN_DICE_LARGE, MIN_DICE_SMALL = 0.995, 0.97
"""Least Dice between the mask and the contours filled at pixel centres."""

MAX_VOLUME_ERROR_LARGE, MAX_VOLUME_ERROR_SMALL = 0.01, 0.03
"""Greatest relative error of the filled contours' volume."""

MAX_SURFACE_PIXELS = 1.01
"""Greatest Hausdorff distance between the voxel sets, in pixel diagonals. A single voxel may differ
where simplification passes its centre; a filled hole or a lost island exceeds the limit."""

MAX_OFF_PLANE_MM = 0.01
"""Greatest distance, in mm, of a contour's point from the plane of the image that it names."""

MAX_SHIFT_PIXELS, MAX_INFLATION_PIXELS = 0.2, 0.2
"""Greatest systematic displacement and growth, in mm, of contours in the field."""

GROSS_DICE = 0.5
"""Dice below which an organ is in the wrong place, so that the other organs may be too."""


@dataclass(frozen=True)
class OrganCheck:
    """One region's comparison. Volumes in cm3, distances in mm.

    volume_cc: of the mask. filled_cc: of the contours filled at pixel centres.
    missing_planes, extra_planes: slices of the mask (specks aside) without contour area, and the
        reverse. surface_mm: Hausdorff distance of the voxel sets.
    shift_mm, inflation_mm: systematic displacement and growth of the contours relative to the
        field's surface. failures: reasons, empty where it passes.
    """

    name: str
    dice: float
    volume_cc: float
    filled_cc: float
    missing_planes: int
    extra_planes: int
    surface_mm: float
    shift_mm: float
    inflation_mm: float
    failures: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.failures


@dataclass(frozen=True)
class CheckReport:
    """The result of the self-check of a file.

    organs: one entry for each expected region. faults: of geometry, identity or references; with
        any fault, the file must not be delivered.
    """

    organs: tuple[OrganCheck, ...]
    faults: tuple[str, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of regions to remove before the file is written again."""
        return tuple(organ.name for organ in self.organs if not organ.passed)

    @property
    def passed(self) -> bool:
        return not self.faults and not self.failed


def check_file(
    path: Path | str | bytes,
    ct: Mapping[str, Path] | Mapping[str, SliceHeader],
    expected: Mapping[str, ProbabilityField],
    grid: Grid,
    source: Source,
    *,
    hu: NDArray[np.float32] | None = None,
    kept: Collection[Roi] = (),
) -> CheckReport:
    """Check a written file. Raise Fault if it must not be delivered.

    ct: the CT's files (or `read_headers` of them) by SOP Instance UID, others allowed.
    expected: by ROI name, the field that was contoured, on the grid.
    hu: the volume's voxels (z, y, x), to check that the grid describes them; needs files in `ct`.
    kept: regions of another file, as read there; they must be unchanged.

    Returns the report, in which organs may have failed. Raises Fault with all faults in words.
    """
    report = inspect_file(path, ct, expected, grid, source, hu=hu, kept=kept)
    if report.faults:
        raise Fault("the self-check found: " + "; ".join(report.faults))
    return report


def inspect_file(
    path: Path | str | bytes,
    ct: Mapping[str, Path] | Mapping[str, SliceHeader],
    expected: Mapping[str, ProbabilityField],
    grid: Grid,
    source: Source,
    *,
    hu: NDArray[np.float32] | None = None,
    kept: Collection[Roi] = (),
) -> CheckReport:
    """Like `check_file`, but return faults in the report instead of raising them."""
    try:
        headers = _headers(ct, source)
        document = open_document(path)
        structures = structure_set(document)
        own = without_kept(document.dataset, kept)
        faults = [*identity_faults(own, headers, source), *kept_faults(structures, kept)]
        planes = lattices(headers, grid, source)
    except (ReadError, Fault) as error:
        return CheckReport((), (str(error),))
    if hu is not None:
        files = {uid: entry for uid, entry in ct.items() if isinstance(entry, Path)}
        faults += voxel_faults(hu, planes, files, _contoured(structures.rois))
    rois = [roi for roi in structures.rois if roi.number not in {old.number for old in kept}]
    by_name = {roi.name: roi for roi in rois}
    unexpected = [roi for roi in rois if roi.contours and roi.name not in expected]
    if unexpected or len(by_name) != len(rois):
        faults.append("the file holds unexpected regions, or a name twice")
    thickness = _thickness(headers)
    organs = []
    for name, field in expected.items():
        organ, wrong = _check_organ(name, by_name.get(name), field, planes, thickness)
        organs.append(organ)
        faults += wrong
    return CheckReport(tuple(organs), tuple(faults))


def _headers(
    ct: Mapping[str, Path] | Mapping[str, SliceHeader], source: Source
) -> dict[str, SliceHeader]:
    """Headers of the source's instances; other files are ignored."""
    uids = frozenset(source.sop_instance_uids)
    own = {uid: entry for uid, entry in ct.items() if uid in uids}
    ready = {uid: entry for uid, entry in own.items() if isinstance(entry, SliceHeader)}
    files = {uid: entry for uid, entry in own.items() if isinstance(entry, Path)}
    return ready | read_headers(files)


def _contoured(rois: Iterable[Roi]) -> frozenset[str]:
    """UIDs of the images that contours name."""
    return frozenset(c.sop_instance_uid for roi in rois for c in roi.contours if c.sop_instance_uid)


def _thickness(headers: Mapping[str, SliceHeader]) -> dict[str, float]:
    """Thickness of each image along the normal, in mm: half-way to its neighbours."""
    normal = next(iter(headers.values())).normal
    order = sorted(headers, key=lambda uid: float(headers[uid].position @ normal))
    if len(order) < 2:
        return dict.fromkeys(order, 1.0)
    steps = np.diff([float(headers[uid].position @ normal) for uid in order])
    ends = np.concatenate((steps[:1], steps)) + np.concatenate((steps, steps[-1:]))
    return dict(zip(order, (float(v) for v in ends / 2), strict=True))


def _check_organ(
    name: str,
    roi: Roi | None,
    field: ProbabilityField,
    planes: Mapping[str, Lattice],
    thickness: Mapping[str, float],
) -> tuple[OrganCheck, list[str]]:
    contours = roi.contours if roi is not None else ()
    faults = [f"{name}: {fault}" for fault in _contour_faults(contours, planes)]
    if faults:
        return _unmeasured(name, "its contours cannot be placed"), faults
    pairs, fit = _slices(contours, field, planes, thickness)
    pixel_mm = np.array([(p.header.row_mm, p.header.column_mm) for p in planes.values()]).max(0)
    result = _measured(name, pairs, fit, pixel_mm)
    if result.extra_planes:
        faults.append(f"{name}: contours on {result.extra_planes} slices without mask")
    if result.filled_cc and result.volume_cc and result.dice < GROSS_DICE:
        faults.append(f"{name}: contours and mask hardly overlap (Dice {result.dice:.3f})")
    if result.shift_mm > MAX_SHIFT_PIXELS * float(pixel_mm.max()):
        faults.append(f"{name}: contours shifted by about {result.shift_mm:.2f} mm")
    if abs(result.inflation_mm) > MAX_INFLATION_PIXELS * float(pixel_mm.max()):
        faults.append(f"{name}: contours off by about {result.inflation_mm:+.2f} mm on all sides")
    return result, faults


def _contour_faults(contours: Iterable[Contour], planes: Mapping[str, Lattice]) -> list[str]:
    unknown = off_plane = unfit = 0
    for contour in contours:
        plane = planes.get(contour.sop_instance_uid or "")
        if contour.type not in (GeometricType.CLOSED_PLANAR, GeometricType.XOR) or (
            len(np.unique(contour.points_lps, axis=0)) < 3
        ):
            unfit += 1
        elif plane is None:
            unknown += 1
        elif np.abs(plane.header.to_pixels(contour.points_lps)[1]).max() > MAX_OFF_PLANE_MM:
            off_plane += 1
    counts = (
        (unknown, "contours name no image of the CT"),
        (off_plane, "contours lie off the plane of the image that they name"),
        (unfit, "contours are not closed planar contours of at least three points"),
    )
    return [f"{count} {what}" for count, what in counts if count]


def _slices(
    contours: Iterable[Contour],
    field: ProbabilityField,
    planes: Mapping[str, Lattice],
    thickness: Mapping[str, float],
) -> tuple[list[SlicePair], SurfaceFit]:
    """Mask and filled contours on every image that has either, and the surface fit."""
    rings: dict[str, list[NDArray[np.float64]]] = {}
    exclusive = False
    for contour in contours:
        uid = contour.sop_instance_uid or ""
        exclusive = exclusive or contour.type is GeometricType.XOR
        rings.setdefault(uid, []).append(planes[uid].header.to_pixels(contour.points_lps)[0])
    mask = field.mask
    fit, pairs = SurfaceFit(), []
    for uid, plane in planes.items():
        here = rings.get(uid, [])
        inside = 0 <= plane.slice_index - field.offset[0] < len(mask)
        wanted = mask[plane.slice_index - field.offset[0]] if inside else None
        if not here and (wanted is None or not wanted.any()):
            continue
        window = _window(here, wanted, field, plane)
        filled = np.zeros(window.shape, dtype=np.bool_)
        for ring in here:
            area = fill(ring, window)
            filled = filled ^ area if exclusive else filled | area
            if inside:
                values = field.values[plane.slice_index - field.offset[0]]
                fit.add(plane.to_field(ring, field), values, field.threshold, plane.spacing_yx)
        target = plane.sampled(wanted, window, field)
        voxel_mm3 = plane.header.row_mm * plane.header.column_mm * thickness[uid]
        pairs.append(SlicePair(plane.header, window, target, filled, voxel_mm3))
    return pairs, fit


def _window(
    rings: list[NDArray[np.float64]],
    wanted: NDArray[np.bool_] | None,
    field: ProbabilityField,
    plane: Lattice,
) -> Window:
    corners = list(rings)
    if wanted is not None and wanted.any():
        corners.append(plane.box_in_image(wanted, field))
    return window_of(corners, plane.header.rows, plane.header.columns)


def _measured(
    name: str,
    pairs: list[SlicePair],
    fit: SurfaceFit,
    pixel_mm: NDArray[np.float64],
) -> OrganCheck:
    wanted = sum(int(pair.wanted.sum()) * pair.voxel_mm3 for pair in pairs) / 1000
    filled = sum(int(pair.filled.sum()) * pair.voxel_mm3 for pair in pairs) / 1000
    both = sum(int((pair.wanted & pair.filled).sum()) * pair.voxel_mm3 for pair in pairs) / 1000
    shift, inflation = fit.solution_mm()
    result = OrganCheck(
        name=name,
        dice=dice_of_sizes(both, wanted, filled) if wanted else 0.0,
        volume_cc=wanted,
        filled_cc=filled,
        missing_planes=sum(p.wanted.sum() > SPECK_PIXELS and not p.filled.any() for p in pairs),
        extra_planes=sum(bool(p.filled.any() and not p.wanted.any()) for p in pairs),
        surface_mm=hausdorff_mm(pairs),
        shift_mm=shift,
        inflation_mm=inflation,
    )
    return replace(result, failures=_failures(result, float(np.hypot(*pixel_mm))))


def _failures(result: OrganCheck, diagonal_mm: float) -> tuple[str, ...]:
    if not result.volume_cc:
        return ("the mask is empty",)
    if not result.filled_cc:
        return ("no contour encloses a voxel",)
    large = result.volume_cc > LARGE_CC
    min_dice = MIN_DICE_LARGE if large else MIN_DICE_SMALL
    max_error = MAX_VOLUME_ERROR_LARGE if large else MAX_VOLUME_ERROR_SMALL
    error = abs(result.filled_cc / result.volume_cc - 1)
    said = []
    if result.dice < min_dice:
        said.append(f"Dice {result.dice:.4f}, required {min_dice}")
    if error > max_error:
        said.append(f"volume off by {error:.1%}, limit {max_error:.0%}")
    if result.missing_planes:
        said.append(f"{result.missing_planes} slices of the mask have no contour")
    if result.surface_mm > MAX_SURFACE_PIXELS * diagonal_mm:
        said.append(f"surfaces up to {result.surface_mm:.2f} mm apart")
    return tuple(said)


def _unmeasured(name: str, why: str) -> OrganCheck:
    return OrganCheck(name, 0.0, 0.0, 0.0, 0, 0, float("inf"), 0.0, 0.0, (why,))
