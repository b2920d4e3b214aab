"""Patients whose images stay on the disk until a sample is cut from them."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from oarflow.training.data.cases import TrainingCase


@dataclass(frozen=True)
class StoredArray:
    """An array in a file. start: its first byte."""

    start: int
    dtype: DTypeLike
    shape: tuple[int, ...]

    def read(self, file: memoryview) -> NDArray[Any]:
        """The array as it lies there; nothing is copied."""
        count = int(np.prod(self.shape))
        return np.frombuffer(file, self.dtype, count, self.start).reshape(self.shape)


def with_images_on_disk(cases: Iterable[TrainingCase], folder: Path) -> list[TrainingCase]:
    """The same patients, their images written to one file in `folder` and read from there in parts.

    The file has no name: nothing of a patient stays when the process ends, however it ends. The
    system keeps in memory what was read lately, while there is room. Raises OSError where the
    disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        placed = [_moved(case, file) for case in cases]
        if not placed:
            return []
        file.flush()
        images = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return [
        replace(case, ct=ct.read(images), mr=None if mr is None else mr.read(images))
        for case, ct, mr in placed
    ]


def _moved(
    case: TrainingCase, file: IO[bytes]
) -> tuple[TrainingCase, StoredArray, StoredArray | None]:
    """The patient without images, and where they went."""
    ct = _write(case.ct, file)
    mr = None if case.mr is None else _write(case.mr, file)
    return replace(case, ct=case.ct[:0, :0, :0].copy(), mr=None), ct, mr


def _write(values: NDArray[Any], file: IO[bytes]) -> StoredArray:
    start = file.seek(-(-file.tell() // mmap.PAGESIZE) * mmap.PAGESIZE)
    file.write(np.ascontiguousarray(values).data)
    return StoredArray(start, values.dtype, values.shape)
