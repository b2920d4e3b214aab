"""Eight senders at once, a hundred studies: every instance accounted for, memory that stays."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from pydicom import Dataset, dcmread
from sqlalchemy import func, select

from oarflow.node.database import Database
from oarflow.node.database.models import Instance, Job
from oarflow.node.states import State
from tests.oarflow.node.node_bench import ROOT, as_file, ct_slice, send_files, uid, wait_for
from tests.oarflow.node.test_node_crashes import Site

pytestmark = pytest.mark.node

SENDERS = 8
WARM_UP, STUDIES = 20, 100
SLICES = 8
SIDE = 256
ALLOWANCE_MB = 32
"""What the node may grow by between the 20th study and the last. The 80 studies between hold 80 MB
of pixels: were the images kept, it would show."""


def slice_of(study: int, k: int) -> Dataset:
    """Pixels that tell the slice from all others."""
    pixels = (study * SLICES + k).to_bytes(2, "little") * SIDE**2
    return ct_slice(
        f"load-{study}",
        k,
        Rows=SIDE,
        Columns=SIDE,
        PixelData=pixels,
        ImagesInAcquisition=SLICES,
    )


def series_of(study: int) -> str:
    return uid(f"load-{study}", "series")


def write_studies(folder: Path) -> list[list[Path]]:
    """Files of each study, in an order that is not the slices'."""
    studies = []
    for study in range(STUDIES):
        place = folder / str(study)
        place.mkdir(parents=True)
        for k in range(SLICES):
            (place / f"{k}.dcm").write_bytes(as_file(slice_of(study, k)))
        studies.append([place / f"{3 * k % SLICES}.dcm" for k in range(SLICES)])
    return studies


@contextmanager
def whole_node(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """`oarflow node` with all its parts."""
    with site.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "oarflow", "node", "run", "-c", str(site.config)],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def send_all(port: int, studies: Sequence[list[Path]]) -> None:
    """One association a study, eight at a time; everything is answered with success."""

    def send(numbered: tuple[int, list[Path]]) -> list[int]:
        return send_files(port, numbered[1], f"SENDER{numbered[0] % SENDERS}")

    with ThreadPoolExecutor(SENDERS) as senders:
        statuses = Counter(s for answers in senders.map(send, enumerate(studies)) for s in answers)
    assert statuses == {0: SLICES * len(studies)}


def delivered(database: Database) -> int:
    with database.read() as session:
        count = session.scalar(select(func.count(Job.id)).where(Job.state == State.DELIVERED))
    return int(count or 0)


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    """The node's own process."""
    return float(psutil.Process(process.pid).memory_info().rss) / 1e6


def account_for_instances(database: Database, root: Path) -> None:
    """Each slice is one row and one file, which holds what was sent."""
    wanted = {
        slice_.SOPInstanceUID: slice_.PixelData
        for study in range(STUDIES)
        for slice_ in (slice_of(study, k) for k in range(SLICES))
    }
    with database.read() as session:
        rows = session.scalars(select(Instance)).all()
    assert Counter(row.sop_instance_uid for row in rows) == Counter(list(wanted))
    for row in rows:
        kept = dcmread(root / row.path)
        assert kept.SOPInstanceUID == row.sop_instance_uid
        assert kept.PixelData == wanted[row.sop_instance_uid]
    assert {root / row.path for row in rows} == set(root.glob("incoming/*/*.dcm"))
    assert not list(root.glob("incoming/*/.part-*"))


def account_for_jobs(database: Database, site: Site) -> None:
    """Each series has one job, which ran once, with all its slices, and was delivered once."""
    root = site.settings.storage.root
    with database.read() as session:
        jobs = session.scalars(select(Job)).all()
        assert Counter(job.series.series_uid for job in jobs) == Counter(
            series_of(study) for study in range(STUDIES)
        )
        for job in jobs:
            ways = Counter(step.after for step in job.steps)
            assert ways[State.RUNNING] == ways[State.SEGMENTED] == ways[State.DELIVERED] == 1
            assert job.series.series_uid in (root / job.output / "result.json").read_text()
            assert f'"slices": {SLICES}' in (root / job.output / "result.json").read_text()
    assert len(list(root.glob("jobs/*/*/out-*"))) == STUDIES
    assert len(site.runs()) == STUDIES


@pytest.fixture
def dask_port_taken() -> Iterator[None]:
    """Somebody else has the port that Dask likes to warn about."""
    with socket.socket() as other:
        with contextlib.suppress(OSError):
            other.bind(("127.0.0.1", 8787))
            other.listen()
        yield


@pytest.mark.usefixtures("dask_port_taken")
def test_eight_senders_and_a_hundred_studies(tmp_path: Path) -> None:
    # The sender's count: a pause of a sender on a busy machine must not pass for the series' end.
    series = {"expect_images": True, "gap_seconds": 300}
    site = Site(tmp_path, execution={"workers": 2}, series=series)
    studies = write_studies(tmp_path / "ct")
    database = Database(site.settings.database_url)
    with whole_node(site) as node:
        site.up(node)
        send_all(site.port, studies[:WARM_UP])
        wait_for(lambda: delivered(database) == WARM_UP, 300, "the first studies' end")
        before = resident_mb(node)
        send_all(site.port, studies[WARM_UP:])
        wait_for(lambda: delivered(database) == STUDIES, 900, "the last study's end")
        after = resident_mb(node)
        node.send_signal(signal.SIGTERM)
        assert node.wait(60) == 0
    account_for_instances(database, site.settings.storage.root)
    account_for_jobs(database, site)
    database.close()
    said = site.log.read_text()
    assert "Traceback" not in said
    assert "already in use" not in said
    assert "Secret" not in said
    sys.stdout.write(f"resident: {before:.0f} MB, then {after:.0f} MB\n")
    assert after - before < ALLOWANCE_MB
