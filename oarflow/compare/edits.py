"""A physicist's edits: the delivered contours compared with the returned RTSTRUCT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import RTStructureSetStorage

from oarflow.compare.figures import organ_edit
from oarflow.compare.matching import match, roi_codes
from oarflow.compare.records import EditRecord
from oarflow.geometry import Grid
from oarflow.intake.scan import scan
from oarflow.organs import Catalogue
from oarflow.result import FILE_NAME, Input, read_document
from oarflow.rtstruct.drawn import read_drawn_volume
from oarflow.rtstruct.frames import on_frame
from oarflow.rtstruct.reader import read_structure_set

EVEN_MM = 0.01
"""Greatest difference, in mm, of even slice distances. Uneven ones must be read from the CT."""


def compare(
    out: Path, edited: Path, catalogue: Catalogue, *, ct: Path | None = None, tolerance_mm: float
) -> EditRecord:
    """Compare a run's folder with the returned structure set.

    edited: an RTSTRUCT, or a folder with one. ct: the CT's folder, needed only for unevenly spaced
    slices. Raises ValueError where the two do not belong together or a file is missing, ReadError
    where an RTSTRUCT cannot be read.
    """
    result = read_document((out / FILE_NAME).read_bytes())
    delivered = next((part for part in result.outputs if part.kind == "RTSTRUCT"), None)
    if delivered is None or result.input is None:
        raise ValueError(f"{out} holds no delivered RTSTRUCT")
    paths = out / delivered.path, find_rtstruct(edited)
    before, returned = (read_structure_set(path) for path in paths)
    grid = read_drawn_volume(scan(ct), (before,)).volume.grid if ct else grid_of(result.input)
    after, elsewhere = on_frame(returned, result.input.frame_of_reference_uid)
    if elsewhere and not any(roi.contours for roi in after.rois):
        raise ValueError(f"{edited} is on another frame of reference than {out}")
    networks = {
        part.name: f"{part.model.name} {part.model.version}" for part in result.organs if part.model
    }
    codes = (roi_codes(paths[0]), roi_codes(paths[1]))
    found = match(before, after, grid, catalogue, codes)
    unknown = _organs(elsewhere, catalogue)
    return EditRecord(
        rtstruct=str(delivered.sop_instance_uid),
        started=result.run.started,
        tolerance_mm=tolerance_mm,
        organs=tuple(
            organ_edit(pair, grid, networks.get(pair.organ), tolerance_mm)
            for pair in found.pairs
            if pair.after is not None or pair.organ not in unknown
        ),
        left_out=elsewhere,
        not_matched=tuple(organ for organ in found.not_matched if organ not in unknown),
        matching=found,
    )


def grid_of(found: Input) -> Grid:
    """The CT's grid from result.json. Raises ValueError where its slices are unevenly spaced."""
    gaps = found.slice_gaps_mm
    if gaps is not None and gaps[1] - gaps[0] > EVEN_MM:
        raise ValueError("the slices are unevenly spaced: name the CT's folder too (--ct)")
    x, y = (np.asarray(direction, dtype=np.float64) for direction in found.orientation)
    steps = np.arange(found.slices)[:, None] * found.spacing_mm[0]
    positions = np.asarray(found.origin_mm) + steps * np.cross(x, y)
    shape = (found.slices, found.rows, found.columns)
    return Grid(positions, x, y, (found.spacing_mm[1], found.spacing_mm[2]), shape)


def find_rtstruct(path: Path) -> Path:
    """The file, or the only RTSTRUCT in a folder. Raises ValueError."""
    if path.is_file():
        return path
    found = [file for file in sorted(path.rglob("*")) if file.is_file() and _is_rtstruct(file)]
    if len(found) != 1:
        raise ValueError(f"{path} holds {len(found)} RTSTRUCT files, not one")
    return found[0]


def _is_rtstruct(path: Path) -> bool:
    try:
        header = pydicom.dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True)
    except (InvalidDicomError, OSError):
        return False
    return bool(header.get("SOPClassUID") == RTStructureSetStorage)


def _organs(names: Sequence[str], catalogue: Catalogue) -> frozenset[str]:
    found = ((name, catalogue.resolve(name)) for name in names)
    return frozenset(organ.name if organ else name for name, organ in found)
