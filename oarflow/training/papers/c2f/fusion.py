"""C2F's weighted supervised fusion: how much each view's map counts for each organ (III.A)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oarflow.localize import coarse_grid, localize, view_maps
from oarflow.networks.card import (
    CARD_NAME,
    NETWORK_NAME,
    SURE_SCORE,
    Channel,
    ModelCard,
    Region,
    Role,
    Training,
    View,
    write_card,
)
from oarflow.networks.sampling import NetworkGrid, read, read_weights
from oarflow.networks.store import ModelStore
from oarflow.plausibility.anatomy import ENOUGH_LANDMARKS, LANDMARKS
from oarflow.training.cases import UNTOUCHED, TrainingCase
from oarflow.training.checkpoint import UNKNOWN, Origin, commit
from oarflow.training.export import rounded, torchscript
from oarflow.training.tuning import volume_of

FUSION_FOLDER = "c2f_fusion"

SURE = 1e-4
"""Probabilities are kept this far from 0 and 1, where their log odds have no end."""

NOT_TRAINED = Origin(None, 0)

DOUBTFUL = 0.02
"""Voxels that no view gives more than this, and no label, teach nothing."""

ENOUGH = 5000
"""Voxels of a patient that are drawn within an organ, and as many outside it."""

STEPS = 1000
RATE = 0.05

SURE_SHARE = 0.95
"""Share of upright patients of whom enough landmarks are to count as sure."""


class Fusion(nn.Module):
    """Per organ a weighted sum of the views' log odds: (n, organs x views, y, x) to (n, organs, y,
    x).

    Channels are an organ's views, then the next organ's. It begins as the views' mean.
    """

    def __init__(self, organs: int, views: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(organs * views, organs, 1, groups=organs)
        nn.init.constant_(self.mix.weight, 1 / views)
        assert self.mix.bias is not None
        nn.init.zeros_(self.mix.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Logits of probabilities."""
        kept = maps.clamp(1e-4, 1 - 1e-4)
        return self.mix(torch.log(kept) - torch.log1p(-kept))  # type: ignore[no-any-return]


def organs_of(store: ModelStore) -> tuple[str, ...]:
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


def fit_fusion(cases: Iterable[TrainingCase], store: ModelStore) -> Fusion:
    """Learn the weights on what the trained views say of training patients."""
    drawn = _draw_all(cases, store)
    fusion = Fusion(len(drawn), len(View))
    assert fusion.mix.bias is not None
    for number, parts in enumerate(drawn.values()):
        weight, bias = _fit(parts)
        with torch.no_grad():
            fusion.mix.weight[number, :, 0, 0] = weight
            fusion.mix.bias[number] = bias
    return fusion.eval()


def view_surfaces(
    cases: Iterable[TrainingCase], store: ModelStore
) -> dict[tuple[str, View], float]:
    """By organ and view, the probability at which that view's map alone puts the organ's surface.

    Learned as the fusion's weights are, from one view at a time; above 1 where a view's map tells
    nothing of the organ.
    """
    return {
        (organ, view): _surface(*_fit(parts, (place,)))
        for organ, parts in _draw_all(cases, store).items()
        for place, view in enumerate(View)
    }


def _draw_all(cases: Iterable[TrainingCase], store: ModelStore) -> dict[str, list[Drawn]]:
    """By organ, in the store's order. Raises ValueError for one that no case has."""
    organs = organs_of(store)
    drawn: dict[str, list[Drawn]] = {organ: [] for organ in organs}
    for case in cases:
        grid, maps = maps_of(case, store, organs)
        seen = ~ignored_on(case, grid)
        for number, organ in enumerate(organs):
            if organ in case.masks:
                drawn[organ].append(_draw(maps[number], truth_on(case, organ, grid), seen))
    missing = [organ for organ, parts in drawn.items() if not parts]
    if missing:
        raise ValueError(f"no training case has {', '.join(missing)}")
    return drawn


def maps_of(
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


def truth_on(case: TrainingCase, organ: str, grid: NetworkGrid) -> NDArray[np.bool_]:
    """A label on a coarse grid, bool (z, y, x): voxels that it fills by half."""
    return _share_on(case, case.masks[organ], grid) >= 0.5


def ignored_on(case: TrainingCase, grid: NetworkGrid) -> NDArray[np.bool_]:
    """Voxels of a coarse grid, bool (z, y, x), that nobody labelled wholly."""
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


@dataclass(frozen=True, eq=False)
class Drawn:
    """Some doubtful voxels of a patient.

    maps: (voxels, views) probabilities. truth: (voxels,) 0 or 1. weight: (voxels,) how many voxels
    of the patient each stands for.
    """

    maps: Tensor
    truth: Tensor
    weight: Tensor


def _draw(maps: NDArray[np.float32], truth: NDArray[np.bool_], seen: NDArray[np.bool_]) -> Drawn:
    """seen: voxels that were labelled, as an organ or as none."""
    flat = maps.reshape(len(maps), -1)
    inside = (truth & seen).ravel()
    outside = (flat.max(axis=0) > DOUBTFUL) & seen.ravel() & ~truth.ravel()
    random = np.random.default_rng(0)
    places, weights = [], []
    for where in (np.flatnonzero(inside), np.flatnonzero(outside)):
        some = random.choice(where, min(ENOUGH, len(where)), replace=False)
        places.append(some)
        weights.append(np.full(len(some), len(where) / max(1, len(some)), dtype=np.float32))
    drawn = np.concatenate(places)
    return Drawn(
        torch.from_numpy(flat[:, drawn].T.copy()),
        torch.from_numpy(inside[drawn].astype(np.float32)),
        torch.from_numpy(np.concatenate(weights)),
    )


def _fit(drawn: Sequence[Drawn], views: Sequence[int] = range(len(View))) -> tuple[Tensor, Tensor]:
    """Weights (views,) and bias of one organ: each voxel counts as often as there are such.

    The views' weighted cross-entropy makes them say an organ far beyond its surface; what is fused
    is a probability again.
    """
    maps = torch.cat([part.maps[:, list(views)] for part in drawn]).clamp(SURE, 1 - SURE)
    truth = torch.cat([part.truth for part in drawn])
    balance = torch.cat([part.weight for part in drawn])
    balance = balance / balance.mean()
    odds = torch.log(maps) - torch.log1p(-maps)
    weight = torch.full((maps.shape[1],), 1 / maps.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)
    some = torch.optim.Adam((weight, bias), lr=RATE)
    for _ in range(STEPS):
        some.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(odds @ weight + bias, truth, balance)
        loss.backward()  # type: ignore[no-untyped-call]
        some.step()
    return weight.detach(), bias.detach()


def _surface(weight: Tensor, bias: Tensor) -> float:
    """Where one view's weighted log odds are nought."""
    if weight <= 0:
        return 2.0
    return float(torch.sigmoid(-bias / weight[0]))


def fusion_card(
    store: ModelStore,
    organs: Sequence[str],
    fusion: Fusion,
    file: bytes,
    *,
    origin: Origin = NOT_TRAINED,
    minutes: float = 0.0,
) -> ModelCard:
    """The card of a fusion network of the folder's views, at the axial view's spacing."""
    axial = store.views[View.AXIAL].card
    return ModelCard(
        name="oarflow/c2f_fusion",
        version="1.0.0",
        role=Role.FUSION,
        organs=tuple(organs),
        dimensions=2,
        view=View.AXIAL,
        region_from=Region(source="volume"),
        channels=tuple(
            Channel(source="view", view=view, organ=organ) for organ in organs for view in View
        ),
        patch_mm=(0.0, 0.0, 0.0),
        spacing_mm=axial.spacing_mm,
        smoothness_mm=axial.smoothness_mm,
        multiple=max(view.card.multiple for view in store.views.values()),
        sha256=hashlib.sha256(file).hexdigest(),
        architecture="weighted sum of the views' log odds, per organ",
        parameters=sum(parameter.numel() for parameter in fusion.parameters()),
        training=Training(
            data=origin.data or UNKNOWN,
            cases=origin.cases,
            commit=origin.commit,
            steps=STEPS,
            minutes=round(minutes, 1),
        ),
    )


def export_fusion(fusion: Fusion, store: ModelStore, cases: int, minutes: float = 0.0) -> ModelCard:
    """Write c2f_fusion/model.ts and model.json into the views' models folder."""
    file = torchscript(rounded(fusion))
    folder: Path = store.folder / FUSION_FOLDER
    folder.mkdir(exist_ok=True)
    (folder / NETWORK_NAME).write_bytes(file)
    organs = organs_of(store)
    origin = Origin(store.views[View.AXIAL].card.training.data, cases, commit=commit())
    card = fusion_card(store, organs, fusion, file, origin=origin, minutes=minutes)
    write_card(card, folder / CARD_NAME)
    return card


def sure_score(cases: Iterable[TrainingCase], store: ModelStore) -> float:
    """The score that enough landmarks reach in most patients, at most the usual one.

    A fused map is less sure than a single network's even where it is right. Judged by the usual
    score, every upright head would seem to need a look in all other positions.
    """
    reached = []
    for case in cases:
        found = localize(volume_of(case), store)
        scores = sorted(
            (found[organ].score for organ in LANDMARKS if organ in found and found[organ].present),
            reverse=True,
        )
        if len(scores) >= ENOUGH_LANDMARKS:
            reached.append(scores[ENOUGH_LANDMARKS - 1])
    if not reached:
        return SURE_SCORE
    return min(SURE_SCORE, round(float(np.quantile(reached, 1 - SURE_SHARE)), 3))


def write_sure_score(store: ModelStore, score: float) -> ModelCard:
    """Put it on the fusion's card. Raises ValueError where the folder has no fusion."""
    if store.fusion is None:
        raise ValueError("no fusion in the models folder")
    card = store.fusion.card.model_copy(update={"sure_score": score})
    write_card(card, store.folder / FUSION_FOLDER / CARD_NAME)
    return card
