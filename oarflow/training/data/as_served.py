"""Training patients as the application reads and contours them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydicom import Dataset

from oarflow.geometry import Grid
from oarflow.networks.store import ModelStore
from oarflow.segmentation.mr import RegisteredMr
from oarflow.segmentation.search import find_organs
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Localization
from oarflow.training.data.cases import TrainingCase
from oarflow.volume import Source, Volume


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
    return Segmenter(volume, found, store, RegisteredMr(case.mr))
