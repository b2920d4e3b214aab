"""The running mean of the weights, which is what is exported."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

Tensors = tuple[Tensor, ...] | list[Tensor]


def running_mean(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """A running mean that forgets its first values faster: a short training must not keep them.

    It is given parameters and buffers apart, each by type; whole numbers are copied.
    """

    @torch.no_grad()
    def update(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
        if averaged[0].is_floating_point():
            kept = min(decay, (1 + int(count)) / (10 + int(count)))
            get_ema_multi_avg_fn(kept)(averaged, current, count)  # type: ignore[no-untyped-call]
        else:
            for mean, value in zip(averaged, current, strict=True):
                mean.copy_(value)

    return update
