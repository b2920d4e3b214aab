"""How the networks do on the tuning patients, through the application's own code."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from oarflow.geometry import Grid
from oarflow.networks.store import ModelStore
from oarflow.placing import find_organs
from oarflow.segment import Mr, Segmenter
from oarflow.structures import Localization, Segmentation, Status
from oarflow.training.cases import TrainingCase
from oarflow.volume import Source, Volume


@dataclass(frozen=True)
class Score:
    """One organ of one patient.

    dice_inside: within the reference's slices only. reason: what the application says against the
    organ, in words; empty where nothing.
    """

    case: str
    organ: str
    status: str
    dice: float
    dice_inside: float
    centre_error_mm: float
    ends_error_mm: tuple[float, float]
    reason: str = ""

    @property
    def contoured(self) -> bool:
        """Whether the application would write the organ."""
        return Status(self.status).written


def volume_of(case: TrainingCase) -> Volume:
    """A training patient as the application's Volume, without DICOM identity."""
    z, y, x = case.spacing_mm
    n = case.ct.shape[0]
    positions = np.stack((np.zeros(n), np.zeros(n), np.arange(n) * z), axis=1)
    grid = Grid(
        positions, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), (float(y), float(x)), case.ct.shape
    )
    uids = tuple(f"1.2.3.{k}" for k in range(n))
    source = Source("1.2.1", "1.2.2", "1.2.4", "1.2.5", uids, Dataset(), "")
    return Volume(case.ct.astype(np.float32), grid, source)


def segmenter_of(
    case: TrainingCase,
    store: ModelStore,
    localizations: Mapping[str, Localization] | None = None,
) -> Segmenter:
    """A training patient's organs as the application contours them, with its MR where it has one.

    localizations: in place of what the application finds.
    """
    volume = volume_of(case)
    found = find_organs(volume, store) if localizations is None else localizations
    return Segmenter(volume, found, store, Mr(case.mr))


def true_localization(
    case: TrainingCase, organ: str, shift_mm: NDArray[np.float64]
) -> Localization:
    """What a localizer that is off by shift_mm (z, y, x) would say."""
    mask = case.masks[organ]
    inside = np.argwhere(mask)
    extent = (inside.max(axis=0) - inside.min(axis=0) + 1) * case.spacing_mm
    z, y, x = case.centroid_mm(organ) + shift_mm
    moved = round(float(shift_mm[0] / case.spacing_mm[0]))
    last = mask.shape[0] - 1
    first = int(np.clip(inside[:, 0].min() + moved, 0, last))
    end = int(np.clip(inside[:, 0].max() + moved, 0, last))
    return Localization(
        organ,
        True,
        1.0,
        (float(x), float(y), float(z)),
        (float(extent[0]), float(extent[1]), float(extent[2])),
        (first, end),
    )


def score_case(case: TrainingCase, store: ModelStore, jitter_mm: float | None) -> Iterable[Score]:
    """Scores of all labelled organs; with jitter_mm the truth, that far off, is the localizer."""
    localizations: Mapping[str, Localization]
    if jitter_mm is None:
        localizations = find_organs(volume_of(case), store)
    else:
        random = np.random.default_rng(zlib.crc32(case.name.encode()))
        localizations = {
            organ: true_localization(case, organ, random.normal(0, jitter_mm, 3))
            for organ in case.masks
        }
    segmenter = segmenter_of(case, store, localizations)
    for organ in case.masks:
        if organ in store.organs:
            yield _score(case, segmenter.segment(organ), localizations.get(organ))


def _score(case: TrainingCase, result: Segmentation, localization: Localization | None) -> Score:
    """localization: None for an organ that is not localized; its errors are not numbers then."""
    organ = result.organ
    truth = case.masks[organ]
    found = np.zeros(truth.shape, dtype=bool)
    if result.field is not None:
        found[result.field.box] = result.field.mask
    found = case.labelled(found)
    planes = truth.any(axis=(1, 2))
    error, ends = np.nan, (np.nan, np.nan)
    if localization is not None and localization.centroid_lps and localization.slices:
        centre = np.asarray(localization.centroid_lps)[::-1]
        error = float(np.linalg.norm((centre - case.centroid_mm(organ))[1:]))
        used = np.flatnonzero(planes)
        step = float(case.spacing_mm[0])
        ends = (
            (localization.slices[0] - used[0]) * step,
            (localization.slices[1] - used[-1]) * step,
        )
    return Score(
        case.name,
        organ,
        str(result.status),
        dice(truth, found),
        dice(truth[planes], found[planes]),
        error,
        ends,
        "; ".join(flag.code for flag in result.flags),
    )


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Dice of two masks, one where both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0
