"""Loads and runs an imported network: one TorchScript file with all folds."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from oarflow.errors import ConfigurationError
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.imported.tiles import TilePlan, tiled_logits

FOLD = "fold_"
"""Name of a fold's module within the file, before the fold's own name."""


class ImportedNetwork:
    """A network whose file was checked against its card before it was loaded."""

    def __init__(self, path: Path, card: ImportedCard, device: str) -> None:
        """Raises ConfigurationError MODEL_HASH."""
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != card.sha256:
            raise ConfigurationError("MODEL_HASH", f"the SHA-256 of {path} differs from its card")
        self.card = card
        self._device = torch.device(device)
        self._folds = load_folds(content, card, self._device)

    def logits(
        self,
        data: NDArray[np.float32],
        plan: TilePlan,
        *,
        mirroring: bool,
        bfloat16: bool = False,
        before_each: Callable[[], None] = lambda: None,
    ) -> NDArray[np.floating[Any]]:
        """(heads, z, y, x) logits of the plan's part to keep, the mean over the folds.

        data: the input (z, y, x) of the plan's span, along the network's axes.
        mirroring: along the card's axes. bfloat16: on a CPU, multiply in that precision.
        before_each: called before every tile; an exception from it ends the run.
        """
        card = self.card
        axes = card.mirror_axes if mirroring else ()
        total: torch.Tensor | None = None
        with torch.inference_mode():
            for fold in self._folds:
                run = self._runner(fold, bfloat16)
                found = tiled_logits(
                    run, data, plan, card, mirror_axes=axes, before_each=before_each
                )
                total = found if total is None else total.add_(found)
            assert total is not None
            if len(self._folds) > 1:
                total /= len(self._folds)
        result: NDArray[np.floating[Any]] = total.numpy()
        return result

    def _runner(
        self, fold: torch.jit.ScriptModule, bfloat16: bool
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        device, flat = self._device, self.card.dimensions == 2
        fast = torch.bfloat16 if device.type == "cpu" else torch.float16
        enabled = bfloat16 or device.type == "cuda"

        def run(tile: torch.Tensor) -> torch.Tensor:
            inputs = tile[:, :, 0] if flat else tile
            with torch.autocast(device.type, dtype=fast, enabled=enabled):
                found = cast(torch.Tensor, fold(inputs.to(device)))
            found = found.float().cpu()
            return found[:, :, None] if flat else found

        return run


def load_folds(
    content: bytes, card: ImportedCard, device: torch.device
) -> list[torch.jit.ScriptModule]:
    """The frozen module of each fold, from checked bytes. Raises ConfigurationError MODEL_CARD."""
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        whole = torch.jit.load(  # type: ignore[no-untyped-call]
            io.BytesIO(content), map_location=device
        )
        named = dict(whole.named_children())
        if missing := [name for name in card.folds if FOLD + name not in named]:
            raise ConfigurationError("MODEL_CARD", f"{card.name} has no fold {missing[0]}")
        return [torch.jit.freeze(named[FOLD + name].eval()) for name in card.folds]
