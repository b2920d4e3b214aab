"""Scores of the networks on the tuning patients, by the application's own code."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oarflow.compare.scores import Score, score
from oarflow.networks.store import ModelStore
from oarflow.segmentation.search import find_organs
from oarflow.structures import Localization, Segmentation, Status
from oarflow.training.data.as_served import segmenter_of, volume_of
from oarflow.training.data.cases import TrainingCase


@dataclass(frozen=True)
class TunedOrgan:
    """One organ of one patient: its score, and the errors of its localization.

    centre_error_mm: in plane. ends_error_mm: of the lowest and of the highest slice, positive
    toward the head. reason: codes of the organ's flags, or "".
    """

    score: Score
    status: str
    centre_error_mm: float
    ends_error_mm: tuple[float, float]
    reason: str = ""

    @property
    def row(self) -> tuple[object, ...]:
        """Cells of `COLUMNS`."""
        found = self.score
        overlaps = (found.dsc, found.dsc_within)
        errors = (self.centre_error_mm, *self.ends_error_mm)
        return (found.case, found.organ, self.status, *overlaps, *errors, self.reason)

    @property
    def contoured(self) -> bool:
        """Whether the application would write the organ."""
        return Status(self.status).written


COLUMNS = (
    "case",
    "organ",
    "status",
    "dice",
    "dice_inside",
    "centre_error_mm",
    "inferior_error_mm",
    "superior_error_mm",
    "reason",
)
"""Of the table of `oarflow train tune`."""


def true_localization(
    case: TrainingCase, organ: str, shift_mm: NDArray[np.float64]
) -> Localization:
    """The localization of a localizer with an error of shift_mm (z, y, x)."""
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


def score_case(
    case: TrainingCase, store: ModelStore, jitter_mm: float | None
) -> Iterable[TunedOrgan]:
    """Scores of all labelled organs. With jitter_mm, the true place with this error is used."""
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


def _score(
    case: TrainingCase, result: Segmentation, localization: Localization | None
) -> TunedOrgan:
    """localization: None for an organ that is not localized; its errors are not numbers then."""
    organ = result.organ
    truth = case.masks[organ]
    field, shape = result.field, truth.shape
    found = case.labelled(field.full_mask(shape) if field else np.zeros(shape, bool))
    z, y, x = case.spacing_mm
    error, ends = np.nan, (np.nan, np.nan)
    if localization is not None and localization.centroid_lps and localization.slices:
        centre = np.asarray(localization.centroid_lps)[::-1]
        error = float(np.linalg.norm((centre - case.centroid_mm(organ))[1:]))
        used = np.flatnonzero(truth.any(axis=(1, 2)))
        step = float(case.spacing_mm[0])
        ends = (
            float(localization.slices[0] - used[0]) * step,
            float(localization.slices[1] - used[-1]) * step,
        )
    return TunedOrgan(
        score(case.name, organ, found, truth, (float(z), float(y), float(x))),
        str(result.status),
        error,
        ends,
        "; ".join(flag.code for flag in result.flags),
    )
