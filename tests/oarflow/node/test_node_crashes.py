"""The whole node as a process, killed at every step; workers, schedulers and databases that die."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from oarflow.node.database import Database
from oarflow.node.database.models import Instance, Job
from oarflow.node.settings import NodeSettings
from oarflow.node.states import State
from tests.oarflow.node.node_bench import (
    Bench,
    free_port,
    is_alive,
    node_process,
    process_ids,
    send_files,
    settings_at,
    wait_for,
    write_series,
)
from tests.oarflow.node.run_node import STEPS

pytestmark = pytest.mark.node

AT_REST = (State.DELIVERED, State.FAILED, State.REFUSED)


class Site:
    """A node's folder, settings file and log."""

    def __init__(self, folder: Path, port: int | None = None, **sections: dict[str, Any]) -> None:
        self.folder = folder
        self.port = port or free_port()
        listener = {"port": self.port, **sections.pop("listener", {})}
        # A busy machine must not take a slow worker for a lost one.
        execution = {"heartbeat_seconds": 1, "lease_seconds": 30, **sections.pop("execution", {})}
        self.settings: NodeSettings = settings_at(
            folder, listener=listener, execution=execution, **sections
        )
        self.config = folder / "node.yaml"
        document = self.settings.model_dump(mode="json", exclude_defaults=True)
        self.config.write_text(yaml.safe_dump(document))
        self.log = folder / "node.log"
        self.models = Path(self.settings.execution.models)

    def process(self, **environment: str) -> Any:
        return node_process(self.config, self.log, **environment)

    def up(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it listens."""

        def listening() -> bool:
            assert process.poll() is None, self.log.read_text()[-2000:]
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for(listening, 120, "the listener")

    def jobs(self) -> list[tuple[int, State, str]]:
        database = Database(self.settings.database_url)
        try:
            with database.read() as session:
                found = session.scalars(select(Job).order_by(Job.id))
                return [(job.id, job.state, job.output) for job in found]
        except SQLAlchemyError:
            return []
        finally:
            database.close()

    def at_rest(self) -> bool:
        found = self.jobs()
        return bool(found) and all(state in AT_REST for _, state, _ in found)

    def runs(self) -> list[Path]:
        return sorted(self.models.glob("run-*"))

    def account(self) -> None:
        """Rows and files are the same; one job, delivered, with one output."""
        ((_, state, output),) = self.jobs()
        assert state is State.DELIVERED
        root = self.settings.storage.root
        assert (root / output / "result.json").is_file()
        assert len(list(root.glob("jobs/*/*/out-*"))) == 1
        database = Database(self.settings.database_url)
        with database.read() as session:
            rows = session.scalars(select(Instance)).all()
            steps = [step.after for step in session.scalars(select(Job)).one().steps]
        database.close()
        assert Counter(steps)[State.DELIVERED] == 1
        assert {root / row.path for row in rows} == set(root.glob("incoming/*/*.dcm"))
        assert not list(root.glob("incoming/*/.part-*"))


@pytest.mark.parametrize("warm", ["", "warm"])
@pytest.mark.parametrize("step", STEPS)
def test_the_node_is_killed_at_every_step(tmp_path: Path, step: str, warm: str) -> None:
    """The sender sends again what was not answered. Then all of it is there, once."""
    # A busy machine's pause before the sender comes again must not pass for the series' end.
    site = Site(tmp_path, series={"quiet_seconds": 4, "gap_seconds": 10})
    files = write_series(tmp_path / "ct", "a", range(12))
    here = {"OARFLOW_TEST_ENGINE": "here", "OARFLOW_TEST_WARM": warm}
    with site.process(**here, OARFLOW_TEST_KILL=step) as node:
        site.up(node)
        statuses = send_files(site.port, files)
        assert node.wait(60) == -signal.SIGKILL
    unanswered = [file for file, status in zip(files, statuses, strict=True) if status != 0]
    assert set(statuses) <= {0, -1}
    with site.process(**here) as node:
        site.up(node)
        if unanswered:
            assert set(send_files(site.port, unanswered)) == {0}
        wait_for(site.at_rest, 60, "the job's end")
        site.account()
        database = Database(site.settings.database_url)
        with database.read() as session:
            assert len(session.scalars(select(Instance)).all()) == 12
        database.close()
        node.send_signal(signal.SIGTERM)
        assert node.wait(60) == 0
    text = site.log.read_text()
    assert "Traceback" not in text, text
    assert "Secret" not in text


@pytest.mark.parametrize("warm", ["", "warm"])
def test_a_killed_worker_is_replaced(tmp_path: Path, warm: str) -> None:
    """Real worker processes: the one that runs the application is killed in the middle."""
    site = Site(tmp_path)
    (site.models / "behaviour.json").write_text('{"do": "write", "seconds": 60, "times": 1}')
    with site.process(OARFLOW_TEST_WARM=warm) as node:
        site.up(node)
        assert set(send_files(site.port, write_series(tmp_path / "ct", "a", range(12)))) == {0}
        wait_for(site.runs, 120, "the first run")
        (pid,) = process_ids(site.models)
        worker = psutil.Process(pid).parent()
        assert worker is not None
        worker.kill()
        wait_for(lambda: not is_alive(pid), 30, "the application's end")
        wait_for(site.at_rest, 400, "the job's end")
        site.account()
        assert len(site.runs()) == 2


def test_a_killed_warm_process_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    """Three studies by real workers; the warm process is killed in the second one."""
    site = Site(tmp_path)
    behaviour = site.models / "behaviour.json"
    with site.process(OARFLOW_TEST_WARM="warm") as node:
        site.up(node)
        for number, study in enumerate("abc"):
            if study == "b":
                behaviour.write_text('{"do": "write", "seconds": 60, "times": 2}')
            assert set(send_files(site.port, write_series(tmp_path / study, study, range(12)))) == {
                0
            }
            wait_for(lambda: len(site.runs()) > number, 120, "the run")  # noqa: B023
            if study == "b":
                os.kill(process_ids(site.models)[-1], signal.SIGKILL)
            wait_for(lambda: len(site.jobs()) > number and site.at_rest(), 120, "the end")  # noqa: B023
    pids = process_ids(site.models)
    assert [pid == pids[0] for pid in pids] == [True, True, False, False]
    assert pids[2] == pids[3]
    assert [state for _, state, _ in site.jobs()] == [State.DELIVERED] * 3
    outputs = [output for _, _, output in site.jobs()]
    assert len(list(site.settings.storage.root.glob("jobs/*/*/out-*"))) == len(set(outputs)) == 3


def test_a_scheduler_killed_and_started_empty_gets_the_job_again(
    tmp_path: Path, scheduler: Any
) -> None:
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    serve = ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    work = ("worker", address, "--nthreads", "1", "--no-dashboard", "--resources", "GPU=1")
    site = Site(tmp_path, execution={"scheduler": address, "resources": {"GPU": 1}})
    (site.models / "behaviour.json").write_text('{"do": "write", "seconds": 60, "times": 1}')
    first = scheduler(*serve)
    scheduler(*work)
    with site.process() as node:
        site.up(node)
        assert set(send_files(site.port, write_series(tmp_path / "ct", "a", range(12)))) == {0}
        wait_for(site.runs, 120, "the first run")
        first.kill()
        first.wait()
        time.sleep(2)
        scheduler(*serve)
        scheduler(*work)
        wait_for(site.at_rest, 400, "the job's end")
        site.account()
        assert len(site.runs()) == 2


def test_postgresql_restarted_in_the_middle_loses_nothing(tmp_path: Path, postgresql: Any) -> None:
    """Killed while slices arrive and while the job runs; what was not answered comes again."""
    url, restart = postgresql
    site = Site(tmp_path, database={"url": url, "busy_seconds": 2})
    (site.models / "behaviour.json").write_text('{"do": "write", "seconds": 8, "times": 1}')
    files = write_series(tmp_path / "ct", "a", range(12))
    with site.process(OARFLOW_TEST_ENGINE="here") as node:
        site.up(node)
        assert set(send_files(site.port, files[:6])) == {0}
        restart()
        statuses = send_files(site.port, files[6:])
        again = [file for file, status in zip(files[6:], statuses, strict=True) if status]
        wait_for(lambda: not again or set(send_files(site.port, again)) == {0}, 60, "success")
        wait_for(site.runs, 60, "the run")
        restart()
        wait_for(site.at_rest, 120, "the job's end")
        assert node.poll() is None
        site.account()


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """A small tmpfs: A700, and nothing half written; with room again, success."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a tmpfs needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        bench = Bench(disk)
        filler = disk / "filler"
        filler.write_bytes(b"\0" * (4 << 20))
    except OSError:
        bench.database.close()
    try:
        from oarflow.node.storage.statuses import NotStored, StoreStatus
        from tests.oarflow.node.node_bench import ct_slice

        with pytest.raises(NotStored) as refusal:
            bench.send(ct_slice("a", 0))
        assert refusal.value.status is StoreStatus.OUT_OF_RESOURCES
        assert not list(bench.receiver.spool.folder.rglob("*.dcm"))
        filler.unlink()
        bench.send(ct_slice("a", 0))
        assert len(bench.instances()) == 1
        bench.database.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
