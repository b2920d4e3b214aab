"""A network that also gives what some of its organs are together, such as both lungs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class UnitedNetwork(nn.Module):
    """The network's logits (n, organs, ...), and after them the greatest of each union's parts."""

    parts: list[list[int]]

    def __init__(
        self, network: nn.Module, organs: Sequence[str], unions: Mapping[str, Sequence[str]]
    ) -> None:
        super().__init__()
        self.network = network
        self.parts = [[organs.index(part) for part in parts] for parts in unions.values()]

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)
        found = [logits]
        for parts in self.parts:
            found.append(logits[:, parts].amax(dim=1, keepdim=True))
        return torch.cat(found, dim=1)
