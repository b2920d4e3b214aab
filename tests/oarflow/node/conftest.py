"""Servers of the tests' own: a Dask scheduler with workers, and PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.oarflow.node.node_bench import ROOT, free_port


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Any]:
    """Starts a Dask scheduler on a port, and workers for it; kills them all at the end."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "dask.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def _postgresql() -> Path:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "pg_ctl").is_file():
            return folder
    pytest.skip("PostgreSQL's server (Debian: postgresql) is not installed")


@pytest.fixture
def postgresql() -> Iterator[Any]:
    """A server of the test's own: (url, restart). Its user must be able to reach its folder."""
    programs, port = _postgresql(), free_port()
    data = Path(tempfile.mkdtemp(prefix="oarflow-postgresql-"))
    user: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("runuser") is None:
            pytest.skip("PostgreSQL does not run as root, and there is no runuser")
        shutil.chown(data, "postgres")
        user = ["runuser", "-u", "postgres", "--"]

    def run(*arguments: str) -> None:
        subprocess.run([*user, *arguments], check=True, cwd="/", stdout=subprocess.DEVNULL)

    run(str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "oarflow", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {data}"
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(data / "log")]
    run(*control, "-o", options, "start")
    url = f"postgresql://oarflow@127.0.0.1:{port}/postgres"

    def restart() -> None:
        run(*control, "-m", "immediate", "stop")
        time.sleep(3)
        run(*control, "-o", options, "start")

    yield url, restart
    run(*control, "-m", "immediate", "stop")
    shutil.rmtree(data, ignore_errors=True)
