"""C2F's fusion network: per organ a weighted sum of the views' log odds (III.A); and its card."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from oarflow.networks.card import Channel, InputRegion, ModelCard, Role, Training, View
from oarflow.networks.store import ModelStore
from oarflow.training.fitting.record import UNKNOWN, TrainingOrigin

FUSION_STEPS = 1000
"""Steps in which its weights are fitted."""

NOT_TRAINED = TrainingOrigin(None, 0)


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


def fusion_card(
    store: ModelStore,
    organs: Sequence[str],
    fusion: Fusion,
    file: bytes,
    *,
    origin: TrainingOrigin = NOT_TRAINED,
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
        region_from=InputRegion(source="volume"),
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
            steps=FUSION_STEPS,
            minutes=round(minutes, 1),
        ),
    )
