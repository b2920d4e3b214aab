"""What `doctor` says of peers that cannot be reached, and how long it takes."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from oarflow.node.doctor import peers
from oarflow.node.doctor.concurrently import run_concurrently
from oarflow.node.doctor.results import CheckResult, CheckStatus
from oarflow.node.pulling.dimse import DimsePacs
from oarflow.node.pulling.query import FoundSeries, PullFailed
from oarflow.node.settings.fields import Peer
from tests.oarflow.node.delivery.peers import make_certificates
from tests.oarflow.node.node_bench import ROOT, free_port, settings_at


@contextmanager
def mute() -> Iterator[int]:
    """It takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def curt() -> Iterator[int]:
    """It ends each connection at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def end() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=end, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def speaking(handlers: Any = (), contexts: Any = (Verification,), **settings: Any) -> Iterator[int]:
    ae = AE(ae_title="PACS")
    for context in contexts:
        ae.add_supported_context(context)
    for name, value in settings.items():
        setattr(ae, name, value)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers))
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


def asked(tmp_path: Path, port: int, host: str = "127.0.0.1", **more: Any) -> CheckResult:
    """What `doctor` says of a peer, whether it is a PACS or a destination."""
    peer = {"ae_title": "PACS", "host": host, "port": port, **more}
    settings = settings_at(
        tmp_path,
        pull={"pacs": {"peer": peer}},
        delivery={"destinations": {"there": {"kind": "dicom", **peer}}},
    )
    begun = time.monotonic()
    found = [one for one in peers.peers(settings) if "TLS;" not in one.text]
    assert time.monotonic() - begun < 8
    source, destination = found
    assert (source.status, source.text) == (destination.status, destination.text)
    assert (source.status is CheckStatus.BAD) == bool(source.remedy)
    return source


def test_without_tcp(tmp_path: Path) -> None:
    port = free_port()
    finding = asked(tmp_path, port)
    assert finding.text == f"no TCP connection to 127.0.0.1:{port}: Connection refused"
    assert "firewalls" in finding.remedy
    finding = asked(tmp_path, 104, host="peer.invalid")
    assert finding.text.startswith(
        "no TCP connection to peer.invalid:104: the name cannot be resolved"
    )


@pytest.mark.parametrize("strict", ["require_called_aet", "require_calling_aet"])
def test_a_title_that_is_rejected(tmp_path: Path, strict: str) -> None:
    if strict == "require_called_aet":
        changes: dict[str, Any] = {"require_called_aet": True, "ae_title": "OTHER"}
        said = "PACS rejects the association: Called AE title not recognised"
    else:
        changes = {"require_calling_aet": ["SOMEBODY"]}
        said = "PACS rejects the association: Calling AE title not recognised"
    with speaking(**changes) as port:
        finding = asked(tmp_path, port)
    assert finding.text == said
    assert "the node's AE title OARFLOW" in finding.remedy


def test_a_silent_peer(tmp_path: Path) -> None:
    with mute() as port:
        finding = asked(tmp_path, port)
    said = "accepts the connection and gives no answer to the association request within 5 s"
    assert finding.text == f"127.0.0.1:{port} {said}"
    assert "speaks DICOM" in finding.remedy


def test_a_peer_that_is_silent_only_to_c_echo(tmp_path: Path) -> None:
    """Neither its silence nor the release after it takes longer than the limit."""
    release = threading.Event()

    def wait(_: evt.Event) -> int:
        release.wait(30)
        return 0

    with speaking([(evt.EVT_C_ECHO, wait)]) as port:
        finding = asked(tmp_path, port)
        release.set()
    assert "gives no answer to C-ECHO within 5 s" in finding.text


def test_a_peer_that_hangs_up(tmp_path: Path) -> None:
    with curt() as port:
        finding = asked(tmp_path, port)
    assert "accepts the connection and closes it without an answer" in finding.text


def test_a_peer_that_declines(tmp_path: Path) -> None:
    with speaking(contexts=(CTImageStorage,)) as port:
        assert "none of the requested services" in asked(tmp_path, port).text
    with speaking([(evt.EVT_C_ECHO, lambda _: 0x0122)]) as port:
        assert asked(tmp_path, port).text == "PACS refuses C-ECHO (status 0122)"
    with speaking() as port:
        assert asked(tmp_path, port).status is CheckStatus.GOOD


def test_tls_that_does_not_come_about(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "pki", "node")
    tls = {"tls": {"ca": str(made.ca)}}
    with speaking() as port:
        assert f"no TLS with 127.0.0.1:{port}: " in asked(tmp_path, port, **tls).text
    with mute() as port:
        assert f"no TLS with 127.0.0.1:{port}: " in asked(tmp_path, port, **tls).text


def test_a_pull_says_the_same() -> None:
    found = FoundSeries("1.2", "1.3")
    with speaking(require_calling_aet=["SOMEBODY"]) as port:
        peer = Peer(ae_title="PACS", host="127.0.0.1", port=port)
        with pytest.raises(PullFailed, match="Calling AE title not recognised"):
            DimsePacs("OARFLOW", peer, "get").fetch(found, print)
    peer = Peer(ae_title="PACS", host="peer.invalid", port=104)
    with pytest.raises(PullFailed, match=r"no TCP connection to peer\.invalid:104"):
        DimsePacs("OARFLOW", peer, "get").fetch(found, print)


def test_peers_are_asked_at_the_same_time(tmp_path: Path) -> None:
    """Twelve silent ones of every kind, from the command line: within the time of two."""
    with mute() as port:
        peer = {"ae_title": "PACS", "host": "127.0.0.1", "port": port}
        url = f"http://127.0.0.1:{port}/dicom-web"
        mail = {"host": "127.0.0.1", "port": port, "sender": "a@b", "to": ["c@d"]}
        destinations: dict[str, Any] = {f"d{k}": {"kind": "dicom", **peer} for k in range(3)}
        destinations |= {f"w{k}": {"kind": "dicomweb", "url": url} for k in range(3)}
        pull: dict[str, Any] = {f"p{k}": {"peer": peer} for k in range(3)}
        pull |= {f"q{k}": {"dicomweb": {"url": url}} for k in range(3)}
        alarm = {"mail": mail, "webhook": f"http://127.0.0.1:{port}/alarm"}
        delivery = {"destinations": destinations, "alarm": alarm}
        settings = settings_at(tmp_path, pull=pull, delivery=delivery)
        begun = time.monotonic()
        found = [*peers.peers(settings), *peers.alarm(settings)]
        assert time.monotonic() - begun < 14
        assert [one.status for one in found] == [CheckStatus.BAD] * 14
        assert all("5 s" in one.text or "not answer" in one.text for one in found[:12])
        file = tmp_path / "node.yaml"
        file.write_text(settings.as_yaml())
        begun = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-m", "oarflow", "node", "doctor", "-c", str(file)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.returncode, run.stdout.count("BAD")) == (1, 14)
        assert time.monotonic() - begun < 45


def test_what_is_late_holds_nothing_up() -> None:
    stop = threading.Event()
    begun = time.monotonic()
    tasks = [lambda: "a", lambda: str(stop.wait(30)), lambda: "c"]
    assert run_concurrently(tasks, 0.2, lambda index: f"late {index}") == ["a", "late 1", "c"]
    assert time.monotonic() - begun < 5
    stop.set()


def test_a_pull_by_c_move_names_what_the_pacs_lacks() -> None:
    def nobody(_: evt.Event) -> Iterator[Any]:
        yield None, None

    model = StudyRootQueryRetrieveInformationModelMove
    with speaking([(evt.EVT_C_MOVE, nobody)], contexts=(model,)) as port:
        peer = Peer(ae_title="PACS", host="127.0.0.1", port=port)
        with pytest.raises(PullFailed, match=r"the node's AE title as a C-MOVE destination .*A801"):
            DimsePacs("OARFLOW", peer, "move").fetch(FoundSeries("1.2", "1.3"), print)
