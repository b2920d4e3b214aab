"""The node's own workers: as many as there are GPUs, each with one of its own. No GPU is needed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import LocalCluster
from pydantic import ValidationError

from oarflow.node.execution import engine as engine_module
from oarflow.node.execution.engine import Engine, EngineLost, OwnWorkers, Ticket
from oarflow.node.execution.order import End, RunOrder
from oarflow.node.settings import ExecutionSettings
from tests.oarflow.node.node_bench import wait_for

TELL = "import os, sys, time; time.sleep(2); p = os.path.join(sys.argv[1], 'device'); "
TELL += "open(p, 'w').write(os.environ.get('CUDA_VISIBLE_DEVICES', 'none'))"


def order(folder: Path, job_id: int, program: str = TELL) -> RunOrder:
    return RunOrder(
        job_id=job_id,
        token="token",
        workspace=str(folder / str(job_id)),
        command=(sys.executable, "-c", program, "{output}"),
        environment={},
        time_limit_seconds=60,
        memory_bytes=None,
        heartbeat_seconds=0.5,
    )


def device(ticket: Ticket) -> str:
    outcome = ticket.outcome()
    assert (outcome.end, outcome.exit_status) == (End.EXITED, 0)
    return (Path(outcome.output) / "device").read_text()


def test_each_worker_has_a_gpu_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two studies at once, on two GPUs; a third waits."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    engine = Engine(ExecutionSettings.model_validate({"gpus": [1, "GPU-5ebe"], "workers": 2}))
    try:
        engine.open()
        wait_for(lambda: engine.slots() == 2, 60, "the workers")
        tickets = [engine.submit(order(tmp_path, number)) for number in (1, 2)]
        wait_for(lambda: all(ticket.over for ticket in tickets), 120, "both runs")
        assert {device(ticket) for ticket in tickets} == {"1", "GPU-5ebe"}
        assert engine.slots() == 2
    finally:
        engine.close()


def test_a_worker_that_hangs_is_told_and_replaced() -> None:
    """Stopped, not ended: no sign of life comes, and its process stays."""
    timing = {"workers": 1, "heartbeat_seconds": 1, "lease_seconds": 12}
    engine = Engine(ExecutionSettings.model_validate(timing))
    try:
        engine.open()
        wait_for(lambda: engine.slots() == 1, 60, "the worker")
        assert engine.trouble() is None
        first = worker_pid(engine)
        os.kill(first, signal.SIGSTOP)
        wait_for(lambda: engine.slots() == 0, 30, "its silence")
        assert engine.trouble() == "workers without a sign of life: 1"
        wait_for(lambda: engine.slots() == 1, 60, "the next one")
        assert engine.trouble() is None
        assert worker_pid(engine) != first
        assert not psutil.pid_exists(first)
    finally:
        engine.close()


def test_workers_that_never_start_stay_a_fault_until_they_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each new attempt to start them must not look like a node without fault."""
    monkeypatch.setattr(engine_module, "RESTART_SECONDS", 0.5)
    engine = Engine(ExecutionSettings.model_validate({"workers": 1}))
    try:
        with monkeypatch.context() as broken:
            broken.setattr(OwnWorkers, "scale", lambda *_: None)
            engine.open()
            with pytest.raises(EngineLost):
                wait_for(lambda: engine.slots() == 1, 10, "a worker")
            engine.close()
            engine.open()
            assert engine.trouble() == "a worker process is not running"
            engine.close()
        monkeypatch.setattr(engine_module, "RESTART_SECONDS", 60.0)
        engine.open()
        wait_for(lambda: engine.slots() == 1, 60, "the worker")
        assert engine.trouble() is None
    finally:
        engine.close()


def test_a_worker_of_another_scheduler_that_hangs_is_restarted() -> None:
    timing = {"heartbeat_seconds": 1, "lease_seconds": 12}
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        execution = {"scheduler": cluster.scheduler_address, **timing}
        engine = Engine(ExecutionSettings.model_validate(execution))
        (nanny,) = cluster.workers.values()
        try:
            engine.open()
            wait_for(lambda: engine.slots() == 1, 60, "the worker")
            first = nanny.pid
            os.kill(first, signal.SIGSTOP)
            wait_for(lambda: engine.slots() == 0, 30, "its silence")
            wait_for(lambda: engine.slots() == 1, 90, "the next one")
            assert nanny.pid not in (None, first)
        finally:
            engine.close()


def test_a_worker_that_hangs_in_a_run_is_replaced(tmp_path: Path) -> None:
    """Its process gives signs of life, its run does not end: the next run needs the place."""
    engine = Engine(ExecutionSettings())
    try:
        engine.open()
        wait_for(lambda: engine.slots() == 1, 60, "the worker")
        first = worker_pid(engine)
        ticket = engine.submit(order(tmp_path, 1, "import time; time.sleep(600)"))
        wait_for((tmp_path / "1").exists, 30, "the run")
        engine.give_up(ticket)
        wait_for(lambda: worker_pid(engine) not in (None, first), 60, "the next one")
        ticket.release()
        wait_for(lambda: engine.slots() == 1, 60, "its place")
    finally:
        engine.close()


def worker_pid(engine: Engine) -> int:
    assert engine._cluster is not None
    ((_, nanny),) = engine._cluster.workers.items()
    return nanny.pid


@pytest.mark.parametrize(
    ("execution", "said"),
    [
        ({"gpus": ["0"], "workers": 2}, "2 workers, but 1 gpus: each worker needs one"),
        ({"gpus": ["0", 0], "workers": 1}, "a GPU is listed twice in gpus"),
        ({"gpus": ["0"], "scheduler": "tcp://host:8786"}, "gpus apply to the node's own workers"),
        ({"resources": {"GPU": 1}}, "resources apply to a scheduler's workers"),
        ({"gpus": ["0,1"]}, "gpus"),
    ],
)
def test_more_studies_than_gpus_are_refused(execution: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ExecutionSettings.model_validate(execution)
