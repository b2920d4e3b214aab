"""Peak memory of a run, and remarks where it is above the limit."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path

_CLEAR_REFS = Path("/proc/self/clear_refs")
_PEAK = "5"
"""Written to clear_refs, this lowers the peak to the present resident size (proc(5))."""


def peak_memory_mb() -> float:
    """Greatest resident size of this process since its start or `restart_peak`, in MiB."""
    with Path("/proc/self/status").open(encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux reports KiB


def restart_peak() -> bool:
    """Free what the last study held, and measure the peaks from now on.

    Returns False where the kernel does not allow that.
    """
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        _CLEAR_REFS.write_text(_PEAK, encoding="ascii")
    except OSError:
        return False
    return True


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
