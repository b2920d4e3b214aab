"""memory_gb holds for the process and for the GPU; result.json says both peaks."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from oarflow.errors import Code, Finding, Refusal
from oarflow.pipeline import Study
from oarflow.result import Run
from oarflow.run.memory import over_memory
from oarflow.run.outcome import conclude
from oarflow.run.settings import Settings
from oarflow.run.setup import Setup
from tests.app.workbench import write_models

GIB = 2**30
GPU = "cuda NVIDIA A GPU"


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for a GPU of which a run took 20 GiB; the process itself took 2."""
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda: 20 * GIB)
    for module in ("memory", "outcome"):
        monkeypatch.setattr(f"oarflow.run.{module}.peak_memory_mb", lambda: 2048.0)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    models = write_models(tmp_path_factory.mktemp("models"))
    when = datetime(2026, 1, 2, tzinfo=UTC)
    return Setup.of(models, Settings(device="cpu"), when, time.monotonic())


def run_part(setup: Setup, device: str) -> Run:
    """What result.json says of a run on a device, refused before its CT was read."""
    setup = replace(setup, device=device)

    def refuse(progress: object) -> None:
        raise AssertionError

    refused = Study(error=Refusal(Finding(Code.NO_FILES, "")))
    return conclude(refused, setup.task(refuse, Path()), setup).document.run


@pytest.mark.usefixtures("on_gpu")
def test_a_run_beyond_the_gpus_share_says_so() -> None:
    (words,) = over_memory(16.0, GPU)
    assert words == "the run used 20.0 GiB of GPU memory, more than memory_gb: 16"
    assert over_memory(24.0, GPU) == ()
    assert over_memory(None, GPU) == ()
    assert over_memory(16.0, "cpu") == ()
    assert len(over_memory(1.0, GPU)) == 2


@pytest.mark.usefixtures("on_gpu")
def test_the_result_has_both_peaks(setup: Setup) -> None:
    gpu, cpu = run_part(setup, GPU), run_part(setup, "cpu")
    assert (gpu.peak_memory_mb, gpu.peak_gpu_memory_mb) == (2048.0, 20480.0)
    assert (cpu.peak_memory_mb, cpu.peak_gpu_memory_mb) == (2048.0, None)
