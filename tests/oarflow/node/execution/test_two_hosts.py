"""Two workers on two hosts, made of network namespaces, one of them cut off in the middle."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from oarflow.node.database import Database
from oarflow.node.database.models import Instance, Job
from oarflow.node.states import State
from tests.oarflow.node.node_bench import ROOT, free_port, send_files, uid, wait_for, write_series
from tests.oarflow.node.test_node_crashes import Site

pytestmark = pytest.mark.node

STUDIES, SLICES = 6, 12
HOLD_SECONDS = 40
"""How long the first two runs take. Dask gives up a silent worker after 30 s."""


@dataclass(frozen=True)
class Host:
    """A network namespace with one cable, from `here` (ours) to `there` (its own)."""

    name: str
    cable: str
    here: str
    there: str

    def plug(self) -> None:
        ip("netns", "add", self.name)
        ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("addr", "add", f"{self.here}/30", "dev", self.cable)
        ip("link", "set", self.cable, "up")
        ip("-n", self.name, "addr", "add", f"{self.there}/30", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", self.name, "link", "set", device, "up")

    def cut(self) -> None:
        """Nothing passes any more, and nobody is told."""
        ip("link", "set", self.cable, "down")

    def remove(self) -> None:
        for words in (["link", "del", self.cable], ["netns", "del", self.name]):
            subprocess.run(["ip", *words], check=False, capture_output=True)

    def pids(self) -> set[int]:
        said = subprocess.run(["ip", "netns", "pids", self.name], check=True, capture_output=True)
        return {int(word) for word in said.stdout.split()}

    def applications(self, site: Site) -> list[int]:
        """Processes of the application that run there for this site."""
        found = []
        for pid in self.pids():
            try:
                command = " ".join(psutil.Process(pid).cmdline())
            except psutil.Error:
                continue
            if "fake_application" in command and str(site.folder) in command:
                found.append(pid)
        return found


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """Addresses are of the range for tests of networks (RFC 2544)."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and ip (Debian: iproute2)")
    number = os.getpid() % 64 * 8
    net = f"198.18.{number // 256}"
    start = number % 256
    made = tuple(
        Host(
            f"oarflow-{os.getpid()}-{k}",
            f"oar{os.getpid()}-{k}",
            f"{net}.{start + 4 * k + 1}",
            f"{net}.{start + 4 * k + 2}",
        )
        for k in range(2)
    )
    try:
        try:
            for host in made:
                host.plug()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces cannot be made here: {error.stderr.decode()}")
        yield made[0], made[1]
    finally:
        for host in made:
            host.remove()


@pytest.fixture
def cluster(tmp_path: Path, hosts: tuple[Host, Host]) -> Iterator[str]:
    """A scheduler here, and a worker on each host. Yields its address for the node."""
    port = free_port()
    scheduler = ["scheduler", "--host", "0.0.0.0", "--port", str(port)]
    started = [([], scheduler)] + [
        (
            ["ip", "netns", "exec", host.name],
            ["worker", f"tcp://{host.here}:{port}", "--host", host.there, "--nthreads", "1"],
        )
        for host in hosts
    ]
    processes = []
    with (tmp_path / "dask.log").open("ab") as log:
        for prefix, (kind, *words) in started:
            program = [sys.executable, "-m", f"distributed.cli.dask_{kind}"]
            processes.append(
                subprocess.Popen(
                    [*prefix, *program, *words, "--no-dashboard"],
                    cwd=ROOT,
                    env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
                    stdout=log,
                    stderr=log,
                )
            )
    yield f"tcp://127.0.0.1:{port}"
    for process in reversed(processes):
        family = psutil.Process(process.pid).children(recursive=True)
        for one in (process, *family):
            one.kill()
        process.wait()


def delivered(site: Site) -> bool:
    return [state for _, state, _ in site.jobs()] == [State.DELIVERED] * STUDIES


def test_two_hosts_share_the_work_and_one_is_cut_off(
    tmp_path: Path, hosts: tuple[Host, Host], cluster: str
) -> None:
    """What the lost host had in hand is done by the other; what it ends unheard does not count."""
    site = Site(tmp_path, execution={"scheduler": cluster, "lease_seconds": 60})
    (site.models / "behaviour.json").write_text(
        f'{{"do": "write", "seconds": {HOLD_SECONDS}, "times": 2}}'
    )
    with site.process() as node:
        site.up(node)
        for number in range(STUDIES):
            files = write_series(tmp_path / "ct" / str(number), f"s{number}", range(SLICES))
            assert set(send_files(site.port, files)) == {0}
        wait_for(lambda: all(h.applications(site) for h in hosts), 120, "work on both hosts")
        hosts[1].cut()
        wait_for(lambda: delivered(site), 400, "the last study's end")
        assert node.poll() is None
    account(site)


def account(site: Site) -> None:
    """Every slice is here, every series was delivered once; one was worked on twice."""
    root = site.settings.storage.root
    database = Database(site.settings.database_url)
    with database.read() as session:
        rows = session.scalars(select(Instance)).all()
        assert Counter(row.sop_instance_uid for row in rows) == Counter(
            uid(f"s{number}", k) for number in range(STUDIES) for k in range(SLICES)
        )
        jobs = session.scalars(select(Job)).all()
        assert {job.series.series_uid for job in jobs} == {
            uid(f"s{number}", "series") for number in range(STUDIES)
        }
        for job in jobs:
            ways = Counter(step.after for step in job.steps)
            assert ways[State.SEGMENTED] == ways[State.DELIVERED] == 1
            result = (root / job.output / "result.json").read_text()
            assert job.series.series_uid in result
    database.close()
    assert len(site.runs()) == STUDIES + 1
