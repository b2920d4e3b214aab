"""C2F's table 1: each view's map against their fusion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from oarflow.compare.overlap import dice
from oarflow.networks.card import View
from oarflow.networks.store import ModelStore
from oarflow.training.data.cases import TrainingCase
from oarflow.training.papers.c2f.coarse_maps import coarse_maps, common_organs, ignored_on, label_on
from oarflow.training.papers.method_scores import MethodScore

FUSION = "fusion"


def view_scores(
    cases: Iterable[TrainingCase], store: ModelStore, thresholds: Mapping[tuple[str, View], float]
) -> Iterator[MethodScore]:
    """Dice on the coarse grid of each view's map and of their fusion.

    thresholds: by organ and view, the probability at which the view's map is cut; the fusion's is
    cut at 0.5. Raises ValueError where the models folder holds no fusion network.
    """
    fusion = store.fusion
    if fusion is None:
        raise ValueError(f"{store.folder} holds no fusion network")
    organs = common_organs(store)
    for case in cases:
        grid, maps = coarse_maps(case, store, organs)
        planes = np.moveaxis(maps.reshape(-1, *maps.shape[2:]), 0, 1)
        known = ~ignored_on(case, grid)
        fused = np.moveaxis(fusion.probabilities(np.ascontiguousarray(planes)), 1, 0)
        for number, organ in enumerate(organs):
            if organ not in case.masks:
                continue
            truth = label_on(case, organ, grid) & known
            for channel, view in enumerate(View):
                found = (maps[number, channel] >= thresholds[organ, view]) & known
                yield MethodScore(case.name, organ, str(view), dice(truth, found))
            found = (fused[number] >= 0.5) & known
            yield MethodScore(case.name, organ, FUSION, dice(truth, found))
