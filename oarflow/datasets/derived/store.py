"""Derived labels on disk: one npz of packed bits a patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from oarflow.datasets.cases import Case, LazyMasks
from oarflow.types import Mask

ORGANS = ("Brain", "Lung_L", "Lung_R", "Lungs", "Trachea", "SpinalCanal")
"""What is derived, by catalogue name. Lungs is stored as its two sides."""

_STORED = tuple(organ for organ in ORGANS if organ != "Lungs")


@dataclass(frozen=True, eq=False)
class DerivedLabels:
    """One patient's derived labels.

    masks: bool (z, y, x) on the case's voxels, by catalogue name; what could not be derived is not
    there. slices: first and last slice that was published across the whole patient; outside of
    them nothing is known.
    """

    masks: Mapping[str, Mask]
    slices: tuple[int, int]


def write_labels(path: Path, labels: DerivedLabels) -> None:
    """Write the labels; Lungs is left out where both sides are there."""
    shape = next((mask.shape for mask in labels.masks.values()), (0, 0, 0))
    arrays = {organ: np.packbits(labels.masks[organ]) for organ in _STORED if organ in labels.masks}
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            shape=np.asarray(shape, dtype=np.int32),
            slices=np.asarray(labels.slices, dtype=np.int32),
            **arrays,
        )
    part.replace(path)


def read_labels(path: Path) -> DerivedLabels:
    """Read what `write_labels` wrote. Raises ValueError where it is no such file."""
    with np.load(path, allow_pickle=False) as arrays:
        if "shape" not in arrays.files or "slices" not in arrays.files:
            raise ValueError(f"{path.name}: not a file of derived labels")
        shape = tuple(int(size) for size in arrays["shape"])
        count = int(np.prod(shape))
        masks: dict[str, Mask] = {}
        for organ in _STORED:
            if organ in arrays.files:
                bits = np.unpackbits(arrays[organ], count=count)
                masks[organ] = bits.astype(np.bool_).reshape(shape)
        first, last = (int(number) for number in arrays["slices"])
    if "Lung_L" in masks and "Lung_R" in masks:
        masks["Lungs"] = masks["Lung_L"] | masks["Lung_R"]
    return DerivedLabels(masks, (first, last))


def with_derived(case: Case, folder: Path) -> Case:
    """The case with its derived labels, on the slices that were published across the patient.

    folder: holds `<case>.npz`. A case that has none there comes back as it is, without derived
    labels. Raises ValueError where the labels are of another size than the CT.
    """
    path = folder / f"{case.id}.npz"
    if not path.is_file():
        return case
    labels = read_labels(path)
    if not labels.masks:
        return case
    for organ, mask in labels.masks.items():
        if mask.shape != case.ct.shape:
            raise ValueError(f"{path.name}: {organ} {mask.shape}, CT {case.ct.shape}")
    drawn = tuple(organ for organ in case.masks if organ not in labels.masks)
    masks = LazyMasks(
        (*drawn, *labels.masks),
        lambda organ: labels.masks[organ] if organ in labels.masks else case.masks[organ],
    )
    return replace(case, masks=masks).cropped(*labels.slices)


class DerivedSet(Mapping[str, Case]):
    """The patients of a data set that have derived labels, with those alone.

    folder: as for `with_derived`.
    """

    def __init__(self, cases: Mapping[str, Case], folder: Path) -> None:
        self._cases = cases
        self._folder = folder
        there = {path.stem for path in folder.glob("*.npz")}
        self._ids = tuple(case_id for case_id in cases if case_id in there)
        if not self._ids:
            raise ValueError(f"{folder} holds no labels of these patients")

    def __getitem__(self, case_id: str) -> Case:
        case = with_derived(self._cases[case_id], self._folder)
        derived = tuple(organ for organ in case.masks if organ in ORGANS)
        return replace(case, masks=LazyMasks(derived, lambda organ: case.masks[organ]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)
