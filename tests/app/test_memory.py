"""memory_gb holds for the process and for the GPU; result.json says both peaks."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from oarflow.errors import ExitStatus
from oarflow.result import Result, Run
from oarflow.run.session import _Case, _over_memory
from oarflow.run.settings import Settings

GIB = 2**30
GPU = "cuda NVIDIA A GPU"


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for a GPU of which a run took 20 GiB; the process itself took 2."""
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda: 20 * GIB)
    monkeypatch.setattr("oarflow.run.session._peak_memory_mb", lambda: 2048.0)


def run_part(device: str) -> Run:
    """What result.json says of a run on a device, refused before its CT was read."""
    case = SimpleNamespace(
        journal=SimpleNamespace(record=SimpleNamespace(intake=None, stages={})),
        setup=SimpleNamespace(when=datetime(2026, 1, 2, tzinfo=UTC), device=device, settings={}),
        session=SimpleNamespace(started=0.0, settings=Settings()),
        store=SimpleNamespace(ran={}),
    )
    return _Case._result(cast(_Case, case), ExitStatus.REFUSED).run


@pytest.mark.usefixtures("on_gpu")
def test_a_run_beyond_the_gpus_share_says_so() -> None:
    (words,) = _over_memory(16.0, GPU)
    assert words == "the run took 20.0 GiB of GPU memory, more than memory_gb: 16"
    assert _over_memory(24.0, GPU) == ()
    assert _over_memory(None, GPU) == ()
    assert _over_memory(16.0, "cpu") == ()
    assert len(_over_memory(1.0, GPU)) == 2


@pytest.mark.usefixtures("on_gpu")
def test_the_result_has_both_peaks() -> None:
    gpu, cpu = run_part(GPU), run_part("cpu")
    assert (gpu.peak_memory_mb, gpu.peak_gpu_memory_mb) == (2048.0, 20480.0)
    assert (cpu.peak_memory_mb, cpu.peak_gpu_memory_mb) == (2048.0, None)


def test_a_result_of_the_first_version_is_still_read() -> None:
    result = Result(run=run_part("cpu"), exit_status=3)
    assert result.schema_version == "1.1"
    before = result.model_dump(mode="json") | {"schema_version": "1.0"}
    del before["run"]["peak_gpu_memory_mb"]
    assert Result.model_validate(before).run.peak_gpu_memory_mb is None
