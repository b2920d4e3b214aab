"""Runs of the application: limits, exit statuses, lost and repeated runs. Nothing counts twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import UID
from sqlalchemy import select

from oarflow.node.database import jobs, leases
from oarflow.node.database.models import AlarmEntry
from oarflow.node.execution import workspace
from oarflow.node.execution.executor import Executor
from oarflow.node.execution.order import STOP, End, RunOrder, RunOutcome
from oarflow.node.execution.results import conclude
from oarflow.node.execution.runner import LOG_NAME, run
from oarflow.node.states import State
from tests.oarflow.node.node_bench import (
    Bench,
    Clock,
    HereEngine,
    ct_slice,
    is_alive,
    make_application_warm,
    uid,
    wait_for,
)

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Shop:
    """A bench with an executor whose engine the test works by hand."""

    def __init__(self, folder: Path, **sections: dict[str, Any]) -> None:
        self.bench = Bench(folder, **sections)
        self.engine = HereEngine()
        self.clock = Clock()
        self.executor = self.new_executor()

    def new_executor(self) -> Executor:
        return Executor(self.bench.settings, self.bench.database, self.engine, self.clock)

    def queue(self, study: str = "a") -> None:
        self.bench.send_series(study, range(12))
        self.bench.silence(5)

    def run(self) -> None:
        """Hand out, run, collect."""
        self.executor.attempt()
        self.engine.run_last()
        self.executor.attempt()

    @property
    def state(self) -> State:
        return self.bench.jobs()[0].state


@pytest.fixture(autouse=True, params=["a process for each study", "warm"])
def warm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the application runs in warm processes."""
    is_warm: bool = request.param == "warm"
    if is_warm:
        make_application_warm(monkeypatch.setattr)
    return is_warm


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.queue()
    return made


def order_of(bench: Bench, tmp_path: Path, **changes: object) -> RunOrder:
    """A run of one slice."""
    folder = tmp_path / "workspace"
    bench.send(ct_slice("a", 0))
    folder.mkdir()
    workspace.snapshot([bench.settings.storage.root / bench.instances()[0].path], folder / "in")
    made = workspace.order(bench.settings, 1, "token", folder, 1_700_000_000, context={})
    return RunOrder(**{**made.__dict__, **changes})


def quietly(_: dict[str, Any]) -> None:
    """Nobody listens."""


def test_a_run_is_written_and_taken_over(shop: Shop) -> None:
    shop.run()
    job = shop.bench.job()
    assert (job.state, job.exit_status) == (State.SEGMENTED, 0)
    output = shop.bench.settings.storage.root / job.output
    assert {one.name for one in output.iterdir()} == {"rtstruct.dcm", "result.json"}
    assert not (output.parent / "in").exists()
    assert len(shop.bench.runs()) == 1
    assert len(shop.bench.runs()[0]) == 12


@pytest.mark.parametrize(
    ("behaviour", "state", "runs", "reason"),
    [
        ("fault", State.FAILED, 3, "the application failed (exit status 1); 3 attempts"),
        (
            "fault that is told",
            State.FAILED,
            3,
            "FAULT: the self-check found: Larynx: contours\\u202e shifted; "
            "the application failed (exit status 1); 3 attempts",
        ),
        (
            "usage",
            State.FAILED,
            1,
            "NO_MODELS: models x is no folder (-m); "
            "the application ended because of a wrong command or setting (exit status 2)",
        ),
        ("refuse", State.REFUSED, 1, "no head in it"),
        ("refuse", State.REFUSED, 1, "WRONG_ANATOMY: Head and neck were not found in the scan"),
        ("hold", State.HELD, 1, "1 of 1 organs contoured; organs suspicious or failed: 1"),
        ("crash", State.FAILED, 3, "the application was killed (signal 11); 3 attempts"),
        ("forge", State.FAILED, 3, "a file does not have the SHA-256 of result.json"),
    ],
)
def test_exit_statuses_decide_the_state(
    shop: Shop, behaviour: str, state: State, runs: int, reason: str
) -> None:
    """1 is tried again, 3 is refused with its reason, 4 is held for a person."""
    shop.bench.behave(do=behaviour)
    for _ in range(runs):
        shop.executor.tick()
        shop.engine.run_last()
    shop.executor.tick()
    shop.executor.tick()
    job = shop.bench.job()
    assert job.state is state
    assert reason in job.reason
    assert "SECRET" not in job.reason
    with shop.bench.database.read() as session:
        told = [entry.reason for entry in session.scalars(select(AlarmEntry))]
    assert told == ([job.reason] if state in (State.FAILED, State.HELD) else [])
    assert len(shop.bench.runs()) == runs
    if state is not State.HELD:
        assert not list(shop.bench.settings.storage.root.glob("jobs/*/*/out-*/*.dcm"))


def test_a_fault_that_passes_is_got_over(shop: Shop) -> None:
    shop.bench.behave(do="fault", times=1)
    shop.run()
    assert shop.state is State.RUNNING  # handed out again by the same tick
    shop.engine.run_last()
    shop.executor.tick()
    assert shop.state is State.SEGMENTED


def test_studies_share_a_warm_process_up_to_its_number(tmp_path: Path, warm: bool) -> None:
    """Also after a study that is refused; a fault is the process's last study."""
    shop = Shop(tmp_path, execution={"studies_per_process": 2})
    outcomes = []
    for study, kind in zip("abcd", ("refuse", "write", "fault", "write"), strict=True):
        shop.queue(study)
        shop.bench.behave(do=kind)
        shop.executor.tick()
        shop.engine.run_last()
        outcomes.append(shop.engine.submitted[-1][1].result)
        with shop.bench.database.write() as session:
            if kind == "fault":
                jobs.cancel(session, jobs.load(session, 3), "somebody")
        shop.executor.tick()
    assert [one.exit_status for one in outcomes if one] == [3, 0, 1, 0]
    pids = shop.bench.processes()
    assert len(set(pids)) == (3 if warm else 4)
    assert (pids[0] == pids[1]) is warm
    logs = [Path(one.output).parent / LOG_NAME for one in outcomes if one]
    assert logs[2].read_text() == "something is wrong\n"


def test_one_study_s_crash_does_not_touch_another(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.queue("a")
    shop.queue("b")
    shop.bench.behave(do="crash", times=3)
    for _ in range(4):
        shop.executor.tick()
        shop.engine.run_last()
    shop.executor.tick()
    assert [job.state for job in shop.bench.jobs()] == [State.FAILED, State.SEGMENTED]


def test_a_hanging_application_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    """It ignores SIGTERM, and is killed."""
    bench = Bench(tmp_path)
    bench.behave(do="hang")
    order = order_of(bench, tmp_path, time_limit_seconds=4.0)
    outcome = run(order, quietly)
    assert outcome.end is End.TIME_LIMIT
    assert not any(map(is_alive, bench.processes()))
    bench.behave(do="write")
    assert run(replace(order, time_limit_seconds=60), quietly).end is End.EXITED
    conclusion = conclude(outcome, uid("a", "series"))
    assert conclusion.state is State.FAILED
    assert not conclusion.again
    assert "time limit" in conclusion.reason


def test_an_application_that_eats_memory_is_killed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.behave(do="eat")
    order = order_of(bench, tmp_path, memory_bytes=400 << 20)
    outcome = run(order, quietly)
    assert outcome.end is End.MEMORY_LIMIT
    assert 400 << 20 < outcome.peak_bytes < 2 << 30
    assert "memory limit" in conclude(outcome, uid("a", "series")).reason
    bench.behave(do="write")
    after = run(order, quietly)
    assert after.end is End.EXITED
    assert after.peak_bytes < 400 << 20


def test_a_run_is_stopped_by_a_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.behave(do="write", seconds=60)
    order = order_of(bench, tmp_path)
    (Path(order.workspace) / STOP).touch()
    assert run(order, quietly).end is End.STOPPED


def test_a_command_that_is_not_there_is_no_success(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    order = order_of(bench, tmp_path, command=("/nowhere/application", "{output}"), warm=None)
    outcome = run(order, quietly)
    assert (outcome.end, outcome.exit_status) == (End.EXITED, 127)
    assert "No such file" in (Path(order.workspace) / LOG_NAME).read_text()


def test_progress_is_a_sign_of_life(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    bench = Bench(tmp_path)
    bench.behave(do="write", seconds=2)
    run(order_of(bench, tmp_path), said.append)
    assert {"stage": "intake"} in said


def test_the_application_dies_with_its_worker(tmp_path: Path) -> None:
    """kill -9 of what runs it leaves no orphan that works on."""
    bench = Bench(tmp_path)
    bench.behave(do="write", seconds=60)
    order = order_of(bench, tmp_path)
    program = (
        "import json, sys\n"
        "from oarflow.node.execution.order import RunOrder, WarmOrder\n"
        "from oarflow.node.execution.runner import run\n"
        "order = RunOrder(**json.loads(sys.argv[1]))\n"
        "warm = order.warm and WarmOrder(**order.warm)\n"
        "run(RunOrder(**{**order.__dict__, 'warm': warm}), lambda _: None)\n"
    )
    text = json.dumps(asdict(order))
    worker = subprocess.Popen([sys.executable, "-c", program, text], cwd=Path.cwd())
    wait_for(bench.runs, what="the run")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_for(
        lambda: not any(map(is_alive, bench.processes())),
        what="the application's end",
    )


def test_results_of_another_series_are_never_taken(shop: Shop) -> None:
    shop.executor.tick()
    shop.engine.run_last()
    outcome = shop.engine.submitted[-1][1].result
    assert outcome is not None
    assert conclude(outcome, uid("a", "series")).state is State.SEGMENTED
    assert "another series" in conclude(outcome, str(UID("1.2.3"))).reason


def test_a_dicom_file_that_result_json_does_not_name_is_not_taken(shop: Shop) -> None:
    shop.executor.tick()
    shop.engine.run_last()
    outcome = shop.engine.submitted[-1][1].result
    assert outcome is not None
    (Path(outcome.output) / "extra.dcm").write_bytes(b"x")
    shop.executor.tick()
    assert "does not name" in shop.bench.reasons()[-2]


def test_a_lost_worker_is_replaced_and_a_late_result_does_not_count(shop: Shop) -> None:
    """No sign of life: submitted again. The first run then ends after all: it is not looked at."""
    shop.executor.tick()
    first_order, first = shop.engine.submitted[0]
    shop.engine.sign(first_order, {"stage": "intake"})
    shop.executor.tick()
    shop.clock.seconds += 6
    shop.executor.tick()
    assert len(shop.engine.submitted) == 2
    assert shop.bench.reasons()[-2] == "the worker gave no sign of life; the job runs again"
    assert shop.engine.given_up == [first]
    assert (Path(first_order.workspace) / STOP).exists()
    shop.engine.run_last()
    shop.executor.tick()
    assert shop.state is State.SEGMENTED
    kept = shop.bench.job().output
    (Path(first_order.workspace) / STOP).unlink()
    first.result = run(first_order, quietly)
    shop.executor._settle(first.result)
    assert shop.bench.job().output == kept
    assert shop.bench.way().count(State.SEGMENTED) == 1


def test_a_repeat_is_the_same_file(tmp_path: Path) -> None:
    """SOURCE_DATE_EPOCH is the job's: whatever the engine repeats comes out the same."""
    shop = Shop(tmp_path)
    shop.queue()
    shop.executor.tick()
    order, ticket = shop.engine.submitted[0]
    once, twice = (run(order, quietly) for _ in range(2))
    assert once.output != twice.output
    files = [(Path(one.output) / "rtstruct.dcm").read_bytes() for one in (once, twice)]
    assert files[0] == files[1]
    ticket.result = twice
    shop.executor.tick()
    assert not Path(once.output).exists()


def test_a_scheduler_that_comes_back_empty_gets_everything_again(shop: Shop) -> None:
    shop.executor.tick()
    shop.engine.away = True
    shop.executor.attempt()
    assert shop.executor.trouble() == "no scheduler"
    assert shop.state is State.QUEUED
    assert shop.bench.job().attempts == 0
    shop.engine.away = False
    shop.run()
    assert shop.state is State.SEGMENTED
    assert shop.executor.trouble() is None


def test_a_worker_that_keeps_dying_fails_the_job_in_the_end(shop: Shop) -> None:
    for _ in range(3):
        shop.executor.tick()
        order, ticket = shop.engine.submitted[-1]
        shop.engine.sign(order, {})
        shop.executor.tick()
        ticket.failed = True
    shop.executor.tick()
    assert shop.bench.job().reason == "the worker was lost; 3 attempts"


def test_a_cancelled_run_is_stopped_and_its_result_is_not_taken(shop: Shop) -> None:
    shop.executor.tick()
    with shop.bench.database.write() as session:
        jobs.cancel(session, jobs.load(session, 1), "somebody")
    shop.executor.tick()
    order, ticket = shop.engine.submitted[-1]
    assert (Path(order.workspace) / STOP).exists()
    (Path(order.workspace) / STOP).unlink()
    ticket.result = run(order, quietly)
    shop.executor.tick()
    assert shop.state is State.CANCELLED
    assert shop.bench.job().output == ""


def test_late_slices_stop_the_run_and_the_next_has_them(shop: Shop) -> None:
    shop.executor.tick()
    shop.bench.send(ct_slice("a", 12))
    shop.executor.tick()
    order, ticket = shop.engine.submitted[-1]
    ticket.result = run(order, quietly)
    assert ticket.result.end is End.STOPPED
    shop.bench.silence(5)
    shop.executor.tick()
    shop.run()
    assert shop.state is State.SEGMENTED
    assert len(shop.bench.runs()[-1]) == 13


def test_after_a_restart_what_ran_is_queued_again(shop: Shop) -> None:
    shop.executor.tick()
    restarted = shop.new_executor()
    assert restarted.recover() == 1
    assert shop.state is State.QUEUED
    assert shop.bench.job().attempts == 0
    assert shop.bench.reasons()[-1] == "the node was restarted; the job runs again"


def test_after_a_restart_what_was_finished_is_taken_over(shop: Shop) -> None:
    """The node died between the end of the run and its row."""
    shop.executor.tick()
    shop.engine.run_last()
    restarted = shop.new_executor()
    assert restarted.recover() == 1
    assert shop.state is State.SEGMENTED
    assert len(shop.bench.runs()) == 1


def test_when_the_node_stops_what_runs_waits_for_its_next_start(shop: Shop) -> None:
    shop.executor.tick()
    shop.executor.stop()
    assert shop.state is State.QUEUED
    with shop.bench.database.read() as session:
        assert leases.all_leases(session, "run:") == []


def test_no_more_runs_are_handed_out_than_there_is_room_for(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for study in "abc":
        shop.queue(study)
    shop.engine.room = 2
    shop.executor.tick()
    shop.executor.tick()
    assert [job.state for job in shop.bench.jobs()] == [
        State.RUNNING,
        State.RUNNING,
        State.QUEUED,
    ]


def test_the_application_sees_none_of_the_node_s_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    bench = Bench(tmp_path)
    order = order_of(
        bench,
        tmp_path,
        command=("/bin/sh", "-c", "env > {output}/environment; exit 1"),
        warm=None,
    )
    outcome = run(order, quietly)
    text = (Path(outcome.output) / "environment").read_text()
    assert "DATABASE_PASSWORD" not in text
    assert "SOURCE_DATE_EPOCH=1700000000" in text


def test_the_command_s_words_are_filled_in(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        execution={"command": ["podman", "-v", "{input}:/in:ro", "-v", "{output}:/out"]},
    )
    made = workspace.command(bench.settings.execution, Path("/w/in"))
    assert made == ("podman", "-v", "/w/in:/in:ro", "-v", "{output}:/out")


@pytest.mark.parametrize("end", [end for end in End if end is not End.EXITED])
def test_every_end_is_told_to_a_person(end: End) -> None:
    conclusion = conclude(RunOutcome(1, "t", end, "/nowhere", 9, 5.0, 1 << 30), "1.2")
    assert conclusion.state is State.FAILED
    assert conclusion.reason


def test_time_goes_on_while_the_clock_jumps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time limit is counted by the monotonic clock."""
    bench = Bench(tmp_path)
    order = order_of(bench, tmp_path, time_limit_seconds=60.0)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert run(order, quietly).end is End.EXITED
    assert Path(order.workspace).exists()
