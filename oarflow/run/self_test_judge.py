"""The checks of the self-test and their limits.

Processors round differently, so that contours are compared by Dice, not by bytes. Digests are
compared where bytes must agree: the CT's voxels, the networks, the delivered file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from oarflow.compare.overlap import dice
from oarflow.geometry import Grid
from oarflow.intake import read_volume
from oarflow.organs import Catalogue, load_catalogue
from oarflow.result import FILE_NAME, OrganPart, ResultDocument, read_document
from oarflow.rtstruct.raster import rasterise
from oarflow.rtstruct.reader import read_structure_set

EXPECTED_DICE = 0.98
"""Least Dice with the stored contours of the same network. It allows for different rounding, but
not for a shift by one of the sample's voxels (4.7 mm)."""

CLINICAL_DICE = 0.4
"""Least Dice with the clinicians' contours. Below it a contour is misplaced or mirrored."""

PLANE_TOLERANCE_MM = 0.01
"""Greatest distance, in mm, of a contour's points from the plane of the slice that it names."""

BORDER_MM = 0.01
"""How far, in pixels, a contour may reach beyond the outermost pixels' edges."""

MIDLINE_ORGAN = "SpinalCord"
"""Left organs must lie to its left, right organs to its right."""

RTSTRUCT = "rtstruct.dcm"

Masks = dict[str, NDArray[np.bool_]]


class Verdict(StrEnum):
    """The outcome of a check."""

    PASSED = "passed"
    FAILED = "FAILED"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True)
class Check:
    """One check. detail: the finding in words and figures."""

    name: str
    verdict: Verdict
    detail: str


def judge(sample: Path, produced: Path, models: Path) -> tuple[Check, ...]:
    """Compare a run's results with the sample's expected result, reference and headers.

    sample: with ct/, reference.dcm and expected/ (the release's result). produced: the folder of
    the run's results. models: the folder of the catalogue.
    """
    result = _read_result(produced)
    if result.exit_status != 0 or not (produced / RTSTRUCT).is_file():
        code = result.refusal.code if result.refusal else "no RTSTRUCT"
        detail = f"exit status {result.exit_status}, {code}"
        return (Check("run", Verdict.FAILED, detail),)
    expected = _read_result(sample / "expected")
    grid = read_volume(sample / "ct").volume.grid
    found = masks(produced / RTSTRUCT, grid)
    clinical = masks(sample / "reference.dcm", grid)
    return (
        Check("run", Verdict.PASSED, "exit status 0"),
        _input(result, expected),
        _digest(result, produced),
        _placement(produced / RTSTRUCT, sample / "ct"),
        *_contours(result, expected, found, masks(sample / "expected" / RTSTRUCT, grid)),
        *_against_clinical(found, clinical),
        *_sides(found, clinical, grid, load_catalogue(models)),
    )


def masks(path: Path, grid: Grid) -> Masks:
    """Every region of an RTSTRUCT on a grid, by name; bool (z, y, x)."""
    return {
        roi.name: mask.full(grid.shape) for roi, mask in rasterise(read_structure_set(path), grid)
    }


def _read_result(folder: Path) -> ResultDocument:
    return read_document((folder / FILE_NAME).read_bytes())


def _check(name: str, holds: bool, detail: str) -> Check:
    return Check(name, Verdict.PASSED if holds else Verdict.FAILED, detail)


def _input(result: ResultDocument, expected: ResultDocument) -> Check:
    """The CT's voxels (by digest) and geometry."""
    if result.input is None or expected.input is None:
        return Check("CT", Verdict.FAILED, "not read")
    wrong = [
        name
        for name in ("pixel_sha256", "slices", "spacing_mm", "origin_mm", "orientation")
        if getattr(result.input, name) != getattr(expected.input, name)
    ]
    detail = f"differs in {', '.join(wrong)}" if wrong else "voxels and geometry as expected"
    return _check("CT", not wrong, detail)


def _digest(result: ResultDocument, produced: Path) -> Check:
    """Whether the delivered files have the digests in result.json."""
    wrong = [
        output.path
        for output in result.outputs
        if hashlib.sha256((produced / output.path).read_bytes()).hexdigest() != output.sha256
    ]
    many = f"{len(result.outputs)} as in result.json"
    detail = f"another digest: {', '.join(wrong)}" if wrong else many
    return _check("files", not wrong and bool(result.outputs), detail)


def _placement(rtstruct: Path, ct: Path) -> Check:
    """Whether every contour lies on and within its slice, by the CT's raw headers."""
    slices = {
        str(header.SOPInstanceUID): header
        for header in (
            pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(ct.iterdir())
        )
    }
    dataset = pydicom.dcmread(rtstruct)
    problems = [
        problem
        for roi in dataset.ROIContourSequence
        for contour in roi.get("ContourSequence", ())
        for problem in _misplaced(contour, slices)
    ]
    detail = problems[0] if problems else "every contour on the slice that it names"
    return _check("placement", not problems, detail)


def _misplaced(contour: pydicom.Dataset, slices: Mapping[str, pydicom.Dataset]) -> Iterator[str]:
    header = slices.get(str(contour.ContourImageSequence[0].ReferencedSOPInstanceUID))
    if header is None:
        yield "a contour names an image that is not in the CT"
        return
    points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
    row, column = np.array(header.ImageOrientationPatient, dtype=float).reshape(2, 3)
    away = points - np.array(header.ImagePositionPatient, dtype=float)
    if np.abs(away @ np.cross(row, column)).max() > PLANE_TOLERANCE_MM:
        yield "a contour does not lie on the slice that it names"
    height, width = (float(value) for value in header.PixelSpacing)
    for along, step, count in ((row, width, header.Columns), (column, height, header.Rows)):
        place = away @ along
        low, high = -step / 2 - BORDER_MM, (int(count) - 0.5) * step + BORDER_MM
        if place.min() < low or place.max() > high:
            yield "a contour reaches beyond its slice"


def _contours(
    result: ResultDocument, expected: ResultDocument, found: Masks, stored: Masks
) -> Iterator[Check]:
    """Compare each organ with the stored contours, if the same network made both."""
    known = {organ.name: organ for organ in expected.organs}
    for organ in result.organs:
        name = f"contours {organ.name}"
        before = known.get(organ.name)
        if before is None or organ.model is None or not _same_network(organ, before):
            yield Check(name, Verdict.NOT_COMPARED, "no expected result for this network")
        elif organ.status != before.status:
            yield Check(name, Verdict.FAILED, f"{organ.status}, expected {before.status}")
        elif organ.name not in stored:
            yield Check(name, Verdict.PASSED, f"{organ.status}, as expected")
        elif organ.name not in found:
            yield Check(name, Verdict.FAILED, "not in the RTSTRUCT")
        else:
            value = dice(found[organ.name], stored[organ.name])
            detail = f"Dice {value:.4f}, at least {EXPECTED_DICE}"
            yield _check(name, value >= EXPECTED_DICE, detail)


def _same_network(organ: OrganPart, before: OrganPart) -> bool:
    return (
        organ.model is not None
        and before.model is not None
        and organ.model.sha256 == before.model.sha256
    )


def _against_clinical(found: Masks, clinical: Masks) -> Iterator[Check]:
    for name in sorted(found.keys() & clinical.keys()):
        value = dice(found[name], clinical[name])
        detail = f"Dice {value:.2f} with the clinicians' contour, at least {CLINICAL_DICE}"
        yield _check(f"place {name}", value >= CLINICAL_DICE, detail)


def _sides(found: Masks, clinical: Masks, grid: Grid, catalogue: Catalogue) -> Iterator[Check]:
    """Whether sided organs are on their side: DICOM's x grows to the patient's left."""
    if MIDLINE_ORGAN not in clinical:
        return
    middle = _centroid_x(clinical[MIDLINE_ORGAN], grid)
    for name, mask in sorted(found.items()):
        organ = catalogue.resolve(name)
        if organ is None or organ.laterality not in ("L", "R") or not mask.any():
            continue
        beside = _centroid_x(mask, grid) - middle
        left = beside > 0
        side = "left" if left else "right"
        detail = f"{abs(beside):.0f} mm to the patient's {side} of the midline"
        yield _check(f"side {name}", left == (organ.laterality == "L"), detail)


def _centroid_x(mask: NDArray[np.bool_], grid: Grid) -> float:
    """x (LPS, mm) of a mask's centroid."""
    z, y, x = (float(np.mean(index)) for index in np.nonzero(mask))
    position = np.array(
        [np.interp(z, np.arange(grid.shape[0]), grid.positions_lps[:, axis]) for axis in range(3)]
    )
    along_rows, along_columns = grid.spacing_yx
    place = position + x * along_columns * grid.x_direction + y * along_rows * grid.y_direction
    return float(place[0])
