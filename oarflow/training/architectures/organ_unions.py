"""A network that also gives what some of its organs are together, such as both lungs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class NetworkWithUnions(nn.Module):
    """The network's logits (n, organs, ...), and after them the greatest of each union's parts."""

    def __init__(
        self, network: nn.Module, organs: Sequence[str], unions: Mapping[str, Sequence[str]]
    ) -> None:
        super().__init__()
        self.network = network
        self.unions = nn.ModuleList(
            _Greatest([organs.index(part) for part in parts]) for parts in unions.values()
        )

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)
        found = [logits]
        for union in self.unions:
            found.append(union(logits))
        return torch.cat(found, dim=1)


class _Greatest(nn.Module):
    def __init__(self, parts: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("parts", torch.tensor(parts))

    def forward(self, logits: Tensor) -> Tensor:
        return logits.index_select(1, self.parts).amax(dim=1, keepdim=True)  # type: ignore[arg-type]
