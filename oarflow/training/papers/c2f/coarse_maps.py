"""The coarse views' probability maps of a training patient, and its labels on their grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oarflow.networks.card import View
from oarflow.networks.sampling import NetworkGrid, read, read_weights
from oarflow.networks.store import ModelStore
from oarflow.segmentation.localizer import coarse_grid, view_maps
from oarflow.training.data.as_served import volume_of
from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.resampling import UNTOUCHED
from oarflow.training.papers.c2f.fusion_network import Fusion, fusion_card


def common_organs(store: ModelStore) -> tuple[str, ...]:
    """The organs that the folder's three views all know.

    Raises ValueError where a view is missing or they share no organ.
    """
    views = store.views
    missing = [view for view in View if view not in views]
    if missing:
        raise ValueError(f"no coarse network of {', '.join(missing)} planes")
    common = [
        o for o in views[View.AXIAL].card.organs if all(o in v.card.organs for v in views.values())
    ]
    if not common:
        raise ValueError("the three views share no organ")
    return tuple(common)


def coarse_maps(
    case: TrainingCase, store: ModelStore, organs: Sequence[str]
) -> tuple[NetworkGrid, NDArray[np.float32]]:
    """The coarse grid, and (organs, views, z, y, x) probabilities on it."""
    volume = volume_of(case)
    grid = coarse_grid(volume.grid, fusion_card(store, organs, Fusion(len(organs), 3), b""))
    found = [
        view_maps(volume, store.views[view], grid)[
            [store.views[view].card.organs.index(organ) for organ in organs]
        ]
        for view in View
    ]
    return grid, np.stack(found, axis=1)


def label_on(case: TrainingCase, organ: str, grid: NetworkGrid) -> NDArray[np.bool_]:
    """A label on a coarse grid, bool (z, y, x): voxels that it fills by half."""
    return _share_on(case, case.masks[organ], grid) >= 0.5


def ignored_on(case: TrainingCase, grid: NetworkGrid) -> NDArray[np.bool_]:
    """Voxels of a coarse grid, bool (z, y, x), that are not labelled completely."""
    if case.ignored is None:
        return np.zeros(tuple(len(axis) for axis in grid.axes), dtype=bool)
    return _share_on(case, case.ignored.whole(), grid) > UNTOUCHED


def _share_on(
    case: TrainingCase, mask: NDArray[np.bool_], grid: NetworkGrid
) -> NDArray[np.float32]:
    z, y, x = (
        read_weights(np.arange(count) * step, axis, 0.0)
        for count, step, axis in zip(mask.shape, case.spacing_mm, grid.axes, strict=True)
    )
    return read(mask.astype(np.float32), (z, y, x), outside=0.0)
