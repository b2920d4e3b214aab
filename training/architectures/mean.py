"""Several networks of one kind that answer as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class MeanNetwork(nn.Module):
    """The mean of the members' logits (n, organs, ...)."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> Tensor:
        logits = []
        for member in self.members:
            logits.append(member(image))
        return torch.stack(logits).mean(dim=0)
