"""Peak memory of a run, and remarks where it is above the limit."""

from __future__ import annotations

import resource


def peak_memory_mb() -> float:
    """Greatest resident size of this process so far, in MiB (Linux reports KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def peak_gpu_memory_mb(device: str | None) -> float | None:
    """Peak of torch's memory on the GPU so far, in MiB; None without a GPU."""
    if device is None or not device.startswith("cuda"):
        return None
    import torch

    return float(torch.cuda.max_memory_allocated()) / 2**20


def over_memory(limit_gb: float | None, device: str | None) -> tuple[str, ...]:
    """A remark for each peak above the limit: of the process's memory and of the GPU's."""
    gpu = peak_gpu_memory_mb(device)
    peaks = {"memory": peak_memory_mb(), "GPU memory": 0.0 if gpu is None else gpu}
    if limit_gb is None:
        return ()
    return tuple(
        f"the run used {mb / 1024:.1f} GiB of {kind}, more than memory_gb: {limit_gb:g}"
        for kind, mb in peaks.items()
        if mb / 1024 > limit_gb
    )
