"""One case's contours as people hand them over: an RTSTRUCT, a SEG, or a file per organ."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from oarflow.datasets.clinic import with_remark
from oarflow.datasets.grids import StoredGrid, lost_header
from oarflow.datasets.image_files import MASK_FOLDERS, organ_name
from oarflow.datasets.images import is_even, placed, read_grid, read_mask
from oarflow.datasets.planes import CLOSED, Planes, in_words
from oarflow.geometry import Grid
from oarflow.intake.scan import CT_OBJECTS, FileClass, FileRecord, Scan, scan
from oarflow.organs import Catalogue
from oarflow.rtstruct.drawn import read_drawn_volume
from oarflow.rtstruct.frames import OTHER_FRAME, on_frame
from oarflow.rtstruct.model import Roi, StructureSet
from oarflow.rtstruct.reader import read_structure_set
from oarflow.types import Mask

LARGEST = 2**29
"""Voxels beyond this count are refused: grids that lie far apart would need more."""

SLACK = 0.5 + 1e-3
"""In voxels: what reaches less far beyond a grid's outermost centres has none of its own there."""

_SEGMENTS = (SegmentationStorage, "1.2.840.10008.5.1.4.1.1.66.7")  # the second: label maps

_BROKEN = (FileClass.TRUNCATED, FileClass.UNREADABLE, FileClass.EMPTY, FileClass.PRIVATE_SYNTAX)
"""Files that may have been contours."""

T = TypeVar("T")


def _no_remarks(_: Grid) -> Mapping[str, str]:
    return {}


class NoContoursError(ValueError):
    """A folder, or an object in it, that can be read and holds no contour."""


@dataclass(frozen=True, eq=False)
class CaseContours:
    """One case's contours.

    organs: catalogue names, and names as they are where the catalogue knows none. unused: names
    that mean an organ which another contour was taken for. grid: on which they were drawn; None
    for an RTSTRUCT without its CT. corners: (n, 3) LPS mm, a box that holds every contour, and the
    grid. frame: UID of the frame of reference, None where there is none. draw: an organ's mask on a
    grid. remarks: by organ, on contours of an RTSTRUCT that lie off the slices of its CT, or of the
    given grid. files: each image file's own grid, by its name.
    """

    organs: tuple[str, ...]
    unused: tuple[str, ...]
    grid: Grid | None
    corners: NDArray[np.float64]
    frame: str | None
    draw: Callable[[str, Grid], Mask]
    remarks: Callable[[Grid], Mapping[str, str]] = _no_remarks
    files: Mapping[str, Grid] = field(default_factory=dict)


def read_contours(folder: Path, catalogue: Catalogue, frame: str | None = None) -> CaseContours:
    """The contours of a case's folder: image files where there are any, else RTSTRUCT, else SEG.

    The CT may lie beside an RTSTRUCT, in the same folder or below it; of several, the one that the
    RTSTRUCT names. Regions of another frame of reference than the CT's are left out and remarked
    upon. frame: UID of the frame wanted where no CT lies beside; None for that of most regions.

    Raises NoContoursError where there is nothing to be taken for contours, ValueError where there
    are several such objects, a damaged one, or none on the frame of reference, ReadError or Refusal
    where DICOM cannot be read.
    """
    places = (folder, *(folder / name for name in MASK_FOLDERS))
    files = [
        (name, path)
        for place in places
        if place.is_dir()
        for path in sorted(place.iterdir())
        if (name := organ_name(path)) is not None
    ]
    if files:
        return _of_files(files, catalogue)
    if not any(path.is_file() for path in folder.rglob("*")):
        raise NoContoursError(f"{folder.name}: the folder is empty")
    found = scan(folder)
    structure_sets = _objects(found, (RTStructureSetStorage,))
    segments = _objects(found, _SEGMENTS)
    held = structure_sets or segments
    if not held:
        if found.of(*_BROKEN):
            raise ValueError(f"{folder.name}: no RTSTRUCT or SEG, and files that are damaged")
        raise NoContoursError(f"{folder.name}: no RTSTRUCT, SEG or file of an organ")
    if len(held) > 1:
        raise ValueError(f"{folder.name}: {len(held)} RTSTRUCT or SEG; leave exactly one")
    if structure_sets:
        structures = read_structure_set(held[0].path)
        ct = read_drawn_volume(found, (structures,)).volume if found.of(*CT_OBJECTS) else None
        on_ct = on_frame(structures, ct.source.frame_of_reference_uid if ct else frame)
        return _of_structures(*on_ct, ct.grid if ct else None, folder.name, catalogue)
    return _of_segments(held[0].path, catalogue)


def common_grid(contours: Iterable[CaseContours], grid: Grid | None = None) -> Grid:
    """The first grid that there is, extended by whole voxels until it holds all contours.

    grid: taken in place of the contours' own. Raises ValueError where there is none, its slices are
    uneven, the frames of reference differ, an image file's header has lost its place, or the
    contours lie too far apart.
    """
    every = tuple(contours)
    if len({one.frame for one in every if one.frame}) > 1:
        raise ValueError("the contours have different frames of reference")
    _check_headers([item for one in every for item in one.files.items()])
    grids = [grid, *(one.grid for one in every)]
    first = next((one for one in grids if one is not None), None)
    if first is None:
        raise ValueError("an RTSTRUCT without its CT, and no other grid: put the CT beside it")
    if not is_even(first):
        raise ValueError("the slices are unevenly spaced")
    points = np.concatenate([one.corners for one in every])
    index = first.patient_to_index(points)
    last = np.array(first.shape) - 1
    within = (index > -SLACK) & (index < last + SLACK)
    return first if within.all() else extended(first, points)


def extended(grid: Grid, points_lps: NDArray[np.float64]) -> Grid:
    """A grid of even spacing with voxels added at its ends until it holds the points (n, 3)."""
    index = grid.patient_to_index(points_lps)
    low = np.minimum(np.floor(index.min(axis=0) + 1e-3), 0).astype(int)
    high = np.maximum(np.ceil(index.max(axis=0) - 1e-3), np.array(grid.shape) - 1).astype(int)
    shape = high - low + 1
    if float(np.prod(shape, dtype=np.float64)) > LARGEST:
        raise ValueError("the contours lie too far apart to be of one scan")
    z_mm, y_mm, x_mm = grid.spacing_zyx
    first = grid.axes_to_patient(low * (z_mm, y_mm, x_mm))
    steps = np.arange(int(shape[0]))[:, None] * z_mm * grid.normal
    return Grid(
        first + steps,
        grid.x_direction,
        grid.y_direction,
        grid.spacing_yx,
        (int(shape[0]), int(shape[1]), int(shape[2])),
    )


def named(found: Iterable[tuple[str, T]], catalogue: Catalogue) -> tuple[dict[str, T], list[str]]:
    """Items by what their names mean, and the names not used because another has the organ.

    A name that the catalogue does not know stays as it is. Of two that mean one organ, the one
    spelled as the catalogue does is taken, else the first.
    """
    kept: dict[str, T] = {}
    unused = []
    for name, item in sorted(found, key=lambda pair: pair[0] not in catalogue):
        organ = catalogue.resolve(name)
        key = organ.name if organ else name
        if key in kept:
            unused.append(name)
        else:
            kept[key] = item
    return kept, unused


def _of_files(files: list[tuple[str, Path]], catalogue: Catalogue) -> CaseContours:
    kept, unused = named(files, catalogue)
    grids = [read_grid(path) for path in kept.values()]
    grid = extended(grids[0], np.concatenate([_corners(one) for one in grids]))
    return CaseContours(
        tuple(kept),
        tuple(unused),
        grid,
        _corners(grid),
        None,
        lambda organ, target: read_mask(kept[organ], target),
        files={path.name: own for path, own in zip(kept.values(), grids, strict=True)},
    )


def _check_headers(files: list[tuple[str, Grid]]) -> None:
    """Raises ValueError, naming both grids, where one of several files has lost its place."""
    for name, grid in files[1:]:
        first, own = files[0][0], StoredGrid.of(grid)
        other = StoredGrid.of(files[0][1])
        if reason := lost_header(own, other):
            raise ValueError(f"{name} and {first}: {reason}. {name}: {own}. {first}: {other}")


def _of_structures(
    structures: StructureSet,
    elsewhere: tuple[str, ...],
    grid: Grid | None,
    folder: str,
    catalogue: Catalogue,
) -> CaseContours:
    """grid: of the CT beside. elsewhere: names of the regions left out for their frame."""
    drawn = [
        (roi.name, roi) for roi in structures.rois if any(c.type in CLOSED for c in roi.contours)
    ]
    if not drawn and elsewhere:
        raise ValueError(
            f"different frames of reference: {folder}'s {len(elsewhere)} regions are on another "
            "than the CT"
        )
    if not drawn:
        raise NoContoursError(f"{folder}: the RTSTRUCT holds no closed contour")
    kept, unused = named(drawn, catalogue)
    planes = Planes.of(kept.values(), grid)
    closed = [c.points_lps for roi in kept.values() for c in roi.contours if c.type in CLOSED]
    corners = _box(np.concatenate(closed))
    return CaseContours(
        tuple(kept),
        tuple(unused),
        grid,
        corners if grid is None else np.concatenate((corners, _corners(grid))),
        structures.frame_of_reference_uid,
        lambda organ, target: planes.mask(kept[organ], target),
        partial(_remarks, planes, kept, elsewhere),
    )


def _remarks(
    planes: Planes, rois: Mapping[str, Roi], elsewhere: tuple[str, ...], target: Grid
) -> dict[str, str]:
    found = {organ: in_words(planes.remarks(roi, target)) for organ, roi in rois.items()}
    found |= with_remark(found, elsewhere, OTHER_FRAME)
    return {organ: words for organ, words in found.items() if words}


def _of_segments(path: Path, catalogue: Catalogue) -> CaseContours:
    import highdicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its warnings quote values of the header
            image: Any = highdicom.seg.segread(str(path))
            volume = image.get_volume_geometry(allow_missing_positions=True)
        if volume is None:
            raise ValueError("its frames are no stack of even spacing")
        labels = [
            (image.get_segment_description(n).segment_label, n) for n in image.segment_numbers
        ]
        grid = _volume_grid(volume)
    except (ValueError, TypeError, AttributeError, KeyError, RuntimeError) as error:
        raise ValueError(f"the SEG cannot be read: {error}") from None
    if not labels:
        raise NoContoursError("the SEG holds no segment")
    kept, unused = named(labels, catalogue)

    def draw(organ: str, target: Grid) -> Mask:
        segment = image.get_volume(
            segment_numbers=[kept[organ]], combine_segments=False, allow_missing_positions=True
        )
        values = np.asarray(segment.array)[..., 0] > 0
        source = _volume_grid(segment)
        order = 1 if float(np.dot(source.normal, segment.direction[:, 0])) > 0 else -1
        return placed(np.ascontiguousarray(values[::order]), source, target)

    frame = str(image.get("FrameOfReferenceUID", "")) or None
    return CaseContours(tuple(kept), tuple(unused), grid, _corners(grid), frame, draw)


def _volume_grid(volume: Any) -> Grid:
    """highdicom's geometry: axes slices, rows, columns; its slices may run against the normal."""
    slices, rows, columns = (int(n) for n in volume.spatial_shape)
    down, across = np.asarray(volume.direction[:, 1]), np.asarray(volume.direction[:, 2])
    positions = np.asarray(
        volume.map_indices_to_reference(np.array([(k, 0, 0) for k in range(slices)]))
    )
    normal = np.cross(across, down)
    return Grid(
        positions[np.argsort(positions @ normal)],
        across,
        down,
        (float(volume.spacing[1]), float(volume.spacing[2])),
        (slices, rows, columns),
    )


def _box(points: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = zip(points.min(axis=0), points.max(axis=0), strict=True)
    return np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3)


def _corners(grid: Grid) -> NDArray[np.float64]:
    ends = np.stack(np.meshgrid(*((0, n - 1) for n in grid.shape), indexing="ij"), -1)
    return grid.index_to_patient(ends.reshape(-1, 3))


def _objects(found: Scan, classes: tuple[str, ...]) -> list[FileRecord]:
    others = found.of(FileClass.OTHER_OBJECT)
    return [r for r in others if r.header is not None and r.header.sop_class_uid in classes]
