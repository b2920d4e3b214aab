"""Assembles an accepted series of slices as one Volume in canonical order."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oarflow.errors import Code, Finding, Refusal
from oarflow.geometry import Grid
from oarflow.intake.decode import (
    AmbiguousPixelsError,
    UndecodableError,
    hounsfield,
    read_pixels,
)
from oarflow.intake.headers import InstanceHeader, common_orientation, frame_of
from oarflow.intake.identity import age_years, identity_of
from oarflow.intake.limits import SAME_POSITION_MM
from oarflow.intake.orientation import Layout, layout_of
from oarflow.types import FloatArray
from oarflow.volume import Source, Volume

Progress = Callable[[int, int], None]
_WORKERS = 4


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice that passed the gate."""

    path: Path
    header: InstanceHeader

    @property
    def position_lps(self) -> FloatArray:
        return np.array(self.header.position_lps, dtype=np.float64)


def without_duplicates(slices: Sequence[Slice]) -> tuple[list[Slice], list[Slice]]:
    """Slices in ascending order along the canonical normal, one per position; and the duplicates.

    Raises Refusal (DUPLICATE_CONFLICT, UNREADABLE_PIXELS) where slices at one position differ.
    """
    layout = _layout(slices)
    normal = np.cross(layout.x_direction, layout.y_direction)
    groups: list[list[Slice]] = []
    last = -np.inf
    for item in sorted(slices, key=lambda item: float(item.position_lps @ normal)):
        offset = float(item.position_lps @ normal)
        if offset - last > SAME_POSITION_MM:
            groups.append([])
            last = offset
        groups[-1].append(item)
    kept, dropped = [], []
    for group in groups:
        group.sort(key=lambda item: (item.header.sop_instance_uid, item.path))
        _compare(group)
        kept.append(group[0])
        dropped += group[1:]
    return kept, dropped


def _compare(group: Sequence[Slice]) -> None:
    """Refuse slices of one position that are not the same image."""
    if len(group) < 2:
        return
    reference = _hu(group[0])
    for other in group[1:]:
        if not np.array_equal(reference, _hu(other)):
            raise Refusal(
                Finding(Code.DUPLICATE_CONFLICT, "slices at one position show different images")
            )


def _hu(item: Slice) -> NDArray[np.float32]:
    try:
        return hounsfield(read_pixels(item.path, item.header).stored, item.header)
    except UndecodableError as error:
        raise Refusal(*_undecodable([error])) from error


def _undecodable(errors: Sequence[UndecodableError]) -> list[Finding]:
    counts = Counter((isinstance(error, AmbiguousPixelsError), str(error)) for error in errors)
    return [
        Finding(Code.AMBIGUOUS_PIXELS, f"{_slices(count)}: {why}")
        if ambiguous
        else Finding(Code.UNREADABLE_PIXELS, f"{_slices(count)} cannot be decoded: {why}")
        for (ambiguous, why), count in sorted(counts.items())
    ]


def _slices(count: int) -> str:
    return f"{count} slice{'s' if count > 1 else ''}"


def _layout(slices: Sequence[Slice]) -> Layout:
    across, down, _ = frame_of(common_orientation(item.header for item in slices))
    return layout_of(across, down)


def assemble(
    slices: Sequence[Slice], progress: Progress | None = None
) -> tuple[Volume, tuple[str, ...]]:
    """Volume of slices in ascending order, and notes on its identity and its pixel data.

    progress: called with the slices read and all slices. Raises Refusal (UNREADABLE_PIXELS,
    AMBIGUOUS_PIXELS).
    """
    header = slices[0].header
    layout = _layout(slices)
    grid = _grid(slices, layout)
    hu = np.empty(grid.shape, dtype=np.float32)
    digest, pixel_notes = _fill(hu, slices, layout, progress)
    identity, notes = identity_of([item.header for item in slices])
    source = Source(
        study_uid=header.study_uid,
        series_uid=header.series_uid,
        frame_of_reference_uid=header.frame_of_reference_uid,
        sop_class_uid=header.sop_class_uid,
        sop_instance_uids=tuple(item.header.sop_instance_uid for item in slices),
        identity=identity,
        pixel_digest=digest,
        patient_age_years=age_years(header),
    )
    return Volume(hu, grid, source), (*notes, *pixel_notes)


def _grid(slices: Sequence[Slice], layout: Layout) -> Grid:
    header = slices[0].header
    shape = (header.rows or 0, header.columns or 0)
    row_mm, column_mm = header.spacing_yx or (0.0, 0.0)
    positions = np.array([item.position_lps for item in slices])
    try:
        return Grid(
            positions_lps=layout.first_voxel(positions, shape, (row_mm, column_mm)),
            x_direction=layout.x_direction,
            y_direction=layout.y_direction,
            spacing_yx=layout.pair((row_mm, column_mm)),
            shape=(len(slices), *layout.pair(shape)),
        )
    except ValueError as error:  # duplicates can matter at the limit of a tolerance
        raise Refusal(Finding(Code.GANTRY_TILT, str(error))) from error


def _fill(
    hu: NDArray[np.float32],
    slices: Sequence[Slice],
    layout: Layout,
    progress: Progress | None,
) -> tuple[str, tuple[str, ...]]:
    """Decode every slice into its place.

    Returns sha256 over stored values, rescales and positions, and notes on the pixel data.
    """
    digests = [b""] * len(slices)
    beside = [(False, 0)] * len(slices)

    def read(k: int) -> None:
        item = slices[k]
        pixels = read_pixels(item.path, item.header)
        hu[k] = layout.arranged(hounsfield(pixels.stored, item.header))
        digests[k] = _digest(pixels.stored, item.header)
        beside[k] = (pixels.unused_bits, pixels.excess)

    failed: list[UndecodableError] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of decoders quote values of the header
        with ThreadPoolExecutor(min(_WORKERS, os.cpu_count() or 1)) as pool:
            for done, future in enumerate(
                as_completed([pool.submit(read, k) for k in range(len(slices))]), 1
            ):
                try:
                    future.result()
                except UndecodableError as error:
                    failed.append(error)
                if progress:
                    progress(done, len(slices))
    if failed:
        raise Refusal(*_undecodable(failed))
    return hashlib.sha256(b"".join(digests)).hexdigest(), _ignored_pixel_data(beside)


def _ignored_pixel_data(found: Sequence[tuple[bool, int]]) -> tuple[str, ...]:
    """Remarks on ignored parts of the slices' pixel data: unused bits, excess bytes."""
    notes = []
    if count := sum(unused_bits for unused_bits, _ in found):
        notes.append(f"unused bits of the pixels are set in {_slices(count)} and were ignored")
    excess = [size for _, size in found if size]
    if excess:
        notes.append(
            f"up to {max(excess)} bytes after the image were ignored in {_slices(len(excess))}"
        )
    return tuple(notes)


def _digest(stored: NDArray[np.integer], header: InstanceHeader) -> bytes:
    """Digest of the slice's values and geometry, independent of their encoding."""
    geometry = (*(header.position_lps or ()), *(header.orientation or ()))
    numbers = (*geometry, *(header.spacing_yx or ()), header.slope or 0, header.intercept or 0)
    digest = hashlib.sha256(np.array(numbers, dtype="<f8").tobytes())
    digest.update(np.ascontiguousarray(stored.astype("<i4", copy=False)).data)
    return digest.digest()
