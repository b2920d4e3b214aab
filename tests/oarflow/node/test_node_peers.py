"""Orthanc as the PACS that is asked, and a Dask cluster that talks over TLS."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from distributed.security import Security
from pydicom import dcmread
from sqlalchemy import select

from oarflow.commands import main
from oarflow.node.database import Database
from oarflow.node.database.models import Instance, ReceivedStudy
from oarflow.node.execution.engine import Engine, EngineLost
from oarflow.node.states import State
from tests.oarflow.node.delivery.peers import Certificates, Orthanc, make_certificates, orthanc
from tests.oarflow.node.node_bench import (
    free_port,
    send_files,
    settings_at,
    uid,
    wait_for,
    write_series,
)
from tests.oarflow.node.test_node_crashes import Site

pytestmark = pytest.mark.node

SLICES = 12


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[tuple[Orthanc, Site, list[Path]]]:
    """Orthanc with a study, the node that it knows, and the study's files."""
    web = "http://127.0.0.1:{}/dicom-web"
    port = free_port()
    sender = shutil.which("storescu")
    if sender is None:
        pytest.skip("storescu (Debian: dcmtk) is not installed")
    known = {"node": ["OARFLOW", "127.0.0.1", port]}
    with orthanc(tmp_path / "orthanc", DicomModalities=known, DicomAlwaysAllowGet=True) as pacs:
        peer = {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.dicom}
        site = Site(
            tmp_path,
            port,
            series={"quiet_seconds": 5, "gap_seconds": 60},
            pull={
                "moved": {"peer": peer, "method": "move"},
                "got": {"peer": peer, "method": "get"},
                "web": {"dicomweb": {"url": web.format(pacs.http)}},
            },
        )
        files = write_series(tmp_path / "ct", "a", range(SLICES))
        place = ["-aec", "ORTHANC", "127.0.0.1", str(pacs.dicom)]
        subprocess.run([sender, *place, *map(str, files)], check=True)
        wait_for(lambda: len(pacs.get("/instances")) == SLICES, 30, "the archive's study")
        yield pacs, site, files


QUERIES = {
    "accession": ["--accession", "A-a"],
    "date": ["--date", "20260101-20260131"],
    "study": ["--study", uid("a")],
}


@pytest.mark.parametrize("source", ["moved", "got", "web"])
def test_a_study_is_pulled_from_orthanc_and_contoured(
    archive: tuple[Orthanc, Site, list[Path]], source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By C-MOVE, C-GET and DICOMweb: what comes is what was sent, and goes the same way."""
    _, site, files = archive
    asked = dict(zip(("moved", "got", "web"), QUERIES.values(), strict=True))[source]
    with site.process(OARFLOW_TEST_ENGINE="here") as node:
        site.up(node)
        assert main(["node", "-c", str(site.config), "pull", source, "--accession", "NOBODY"]) == 3
        assert f"PULL: {source}: no series of CT found" in capsys.readouterr().err
        assert site.jobs() == []
        assert main(["node", "-c", str(site.config), "pull", source, *asked]) == 0
        assert f"series 1: {SLICES} instances, 0 refused" in capsys.readouterr().out
        wait_for(site.at_rest, 120, "the job's end")
        site.account()
    database = Database(site.settings.database_url)
    with database.read() as session:
        rows = session.scalars(select(Instance).order_by(Instance.sop_instance_uid)).all()
        (study,) = session.scalars(select(ReceivedStudy))
        assert study.calling_ae == ("web" if source == "web" else "ORTHANC")
        assert [one.series.expected for one in rows] == [SLICES] * SLICES
    database.close()
    sent = sorted((dcmread(file) for file in files), key=lambda one: str(one.SOPInstanceUID))
    kept = [dcmread(site.settings.storage.root / one.path) for one in rows]
    assert kept == sent


def test_an_archive_that_does_not_know_the_node_is_named(
    archive: tuple[Orthanc, Site, list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """C-MOVE to a title that Orthanc has no address for: an exit status and a reason."""
    pacs, _, _ = archive
    peer = {"ae_title": "ORTHANC", "host": "127.0.0.1", "port": pacs.dicom}
    stranger = Site(
        tmp_path / "stranger",
        free_port(),
        pull={"moved": {"peer": peer, "method": "move"}},
        listener={"ae_title": "STRANGER"},
    )
    words = ["-c", str(stranger.config), "pull", "moved", "--accession", "A-a"]
    assert main(["node", *words]) == 1
    said = capsys.readouterr().err
    assert "moved: " in said
    assert "A-a" not in said
    assert stranger.jobs() == []


@pytest.fixture
def cluster(tmp_path: Path, scheduler: Any) -> tuple[str, Certificates]:
    """A scheduler and a worker that speak TLS only; nobody without a certificate is heard."""
    made = make_certificates(tmp_path / "tls", "scheduler", "worker", "node", "stranger")
    port = free_port()
    address = f"tls://127.0.0.1:{port}"

    def flags(name: str) -> list[str]:
        return [
            *("--tls-ca-file", str(made.ca)),
            *("--tls-cert", str(made.certificate(name))),
            *("--tls-key", str(made.key(name))),
        ]

    place = ["--protocol", "tls", "--host", "127.0.0.1", "--port", str(port)]
    scheduler("scheduler", *place, *flags("scheduler"), "--no-dashboard")
    scheduler("worker", address, *flags("worker"), "--nthreads", "1", "--no-dashboard")
    return address, made


def tls(made: Certificates) -> dict[str, str]:
    return {
        "ca": str(made.ca),
        "certificate": str(made.certificate("node")),
        "key": str(made.key("node")),
    }


def test_a_study_is_contoured_by_a_cluster_with_tls(
    tmp_path: Path, cluster: tuple[str, Certificates]
) -> None:
    address, made = cluster
    site = Site(tmp_path / "site", execution={"scheduler": address, "scheduler_tls": tls(made)})
    with site.process() as node:
        site.up(node)
        files = write_series(tmp_path / "ct", "a", range(SLICES))
        assert set(send_files(site.port, files)) == {0}
        wait_for(site.at_rest, 300, "the job's end")
        site.account()
        assert site.jobs()[0][1] is State.DELIVERED


@pytest.mark.parametrize("wrong", ["another authority", "no TLS"])
def test_a_cluster_with_tls_hears_nobody_else(
    tmp_path: Path, cluster: tuple[str, Certificates], wrong: str
) -> None:
    address, made = cluster
    good = Security(
        tls_ca_file=str(made.ca),
        tls_client_cert=str(made.certificate("node")),
        tls_client_key=str(made.key("node")),
        require_encryption=True,
    )
    with Client(address, security=good, timeout=60, set_as_default=False) as client:
        wait_for(lambda: client.scheduler_info()["workers"], 60, "the worker")
    other = make_certificates(tmp_path / "other", "node")
    execution: dict[str, Any] = {"scheduler": address, "scheduler_tls": tls(other)}
    if wrong == "no TLS":
        execution = {"scheduler": address.replace("tls:", "tcp:")}
    engine = Engine(settings_at(tmp_path / "node", execution=execution).execution)
    with pytest.raises(EngineLost):
        engine.open()
