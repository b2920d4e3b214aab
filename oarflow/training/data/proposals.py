"""Contours that networks propose for patients without drawn ones, as further training labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from oarflow.datasets.cases import LazyMasks
from oarflow.networks.store import ModelStore
from oarflow.training.data.as_served import segmenter_of
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.labels import Labels
from oarflow.types import Mask


def propose(case: TrainingCase, store: ModelStore, organs: Sequence[str]) -> dict[str, Mask]:
    """bool (z, y, x) on the case's voxels for each organ that the patient has no label of."""
    missing = [organ for organ in organs if organ not in case.masks and organ in store.organs]
    if not missing:
        return {}
    segmenter = segmenter_of(case, store)
    proposed = {}
    for organ in missing:
        found = segmenter.segment(organ)
        if found.field is not None:
            proposed[organ] = found.field.full_mask(case.ct.shape)
    return proposed


def write_proposals(path: Path, masks: Mapping[str, Mask]) -> None:
    """One npz of packed bits a patient; nothing where nothing is proposed."""
    if not masks:
        return
    shape = next(iter(masks.values())).shape
    packed = {organ: np.packbits(mask) for organ, mask in masks.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, shape=np.asarray(shape), **packed)
    part.replace(path)


def read_proposals(path: Path) -> dict[str, Mask]:
    """Read what `write_proposals` wrote. Raises ValueError where it is no such file."""
    with np.load(path, allow_pickle=False) as arrays:
        if "shape" not in arrays.files:
            raise ValueError(f"{path.name}: not a file of proposed labels")
        shape = tuple(int(size) for size in arrays["shape"])
        count = int(np.prod(shape))
        return {
            organ: np.unpackbits(arrays[organ], count=count).astype(bool).reshape(shape)
            for organ in arrays.files
            if organ != "shape"
        }


def with_proposals(
    case: TrainingCase, folder: Path, organs: Collection[str] | None = None
) -> TrainingCase:
    """The case with the proposals that folder/<case>.npz holds for what it has no label of.

    organs: of these alone.
    Raises ValueError where they are of another size than the CT.
    """
    path = folder / f"{case.name}.npz"
    if not path.is_file():
        return case
    proposed = read_proposals(path)
    new = {
        organ: mask
        for organ, mask in proposed.items()
        if organ not in case.masks and (organs is None or organ in organs)
    }
    for organ, mask in new.items():
        if mask.shape != case.ct.shape:
            raise ValueError(f"{path.name}: {organ} {mask.shape}, CT {case.ct.shape}")
    known = (*case.masks, *new)
    return replace(
        case,
        masks=Labels(LazyMasks(known, lambda one: new[one] if one in new else case.masks[one])),
        proposed=frozenset(new),
    )
