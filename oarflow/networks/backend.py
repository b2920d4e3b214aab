"""Loads and runs one network. Only this module depends on the file format."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from oarflow.errors import ConfigurationError
from oarflow.networks.card import ModelCard
from oarflow.networks.precision import has_bfloat16

CPU_BATCH_PLACES = 60_000
GPU_BATCH_PLACES = 6_000_000
"""Pixels or voxels per batch, for any number of channels: feature maps use most of the memory, and
those above 32 MB are slow to allocate."""


def choose_device(wish: str) -> str:
    """cuda or cpu, for a requested device of auto, cuda or cpu.

    Raises ConfigurationError DEVICE where cuda is asked for and absent.
    """
    if wish not in ("auto", "cuda", "cpu"):
        raise ConfigurationError("DEVICE", f"device must be auto, cuda or cpu, not {wish!r}")
    if wish == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if wish == "cuda":
        raise ConfigurationError("DEVICE", "device is cuda, but there is no CUDA device")
    return "cpu"


def load_network(content: bytes, device: torch.device) -> torch.jit.ScriptModule:
    """The frozen network from checked bytes, converted to single precision.

    Torch's warning that TorchScript is deprecated is suppressed.
    """
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.load(  # type: ignore[no-untyped-call]
            io.BytesIO(content), map_location=device
        )
        module.float().eval()
        frozen: torch.jit.ScriptModule = torch.jit.freeze(module)
        return frozen


class TorchScriptNetwork:
    """A network in TorchScript, loaded only after its hash was checked against its card."""

    def __init__(self, path: Path, card: ModelCard, device: str) -> None:
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != card.sha256:
            raise ConfigurationError("MODEL_HASH", f"the SHA-256 of {path} differs from its card")
        self.card = card
        self._device = torch.device(device)
        self._module = load_network(content, self._device)
        self._format = torch.channels_last if card.dimensions == 2 else torch.channels_last_3d
        self._half = torch.float16 if device == "cuda" else torch.bfloat16
        self._mixed = device == "cuda" or has_bfloat16()

    def probabilities(
        self, batch: NDArray[np.float32], before_each: Callable[[], None] = lambda: None
    ) -> NDArray[np.float32]:
        """(n, organs, ...) probabilities for inputs (n, channels, ...), in batches that fit.

        before_each: called before every batch; an exception from it ends the run.
        """
        places = int(np.prod(batch.shape[2:]))
        limit = GPU_BATCH_PLACES if self._device.type == "cuda" else CPU_BATCH_PLACES
        size = max(1, limit // places)
        parts = []
        for start in range(0, len(batch), size):
            before_each()
            parts.append(self._run(batch[start : start + size]))
        return np.concatenate(parts)

    def _run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        inputs = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device)
        inputs = inputs.contiguous(memory_format=self._format)
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=self._half, enabled=self._mixed),
        ):
            output = self._module(inputs)
        output = output.float()
        if self.card.activation == "sigmoid":
            output = torch.sigmoid(output)
        elif self.card.activation == "softmax":
            output = torch.softmax(output, dim=1)[:, -self.card.outputs :]
        result: NDArray[np.float32] = output.contiguous().cpu().numpy()
        return result
