"""The page's server on a real port: TLS, silent connections, and what programs ask."""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from oarflow.errors import ConfigurationError
from oarflow.node.listener.tls import server_context
from oarflow.node.settings.fields import ServerTls
from oarflow.node.web import request_timeout
from oarflow.node.web.server import WebServer
from tests.oarflow.node.delivery import bench
from tests.oarflow.node.delivery.peers import Certificates, make_certificates
from tests.oarflow.node.web import ward


@contextmanager
def served(root: Path, **web: Any) -> Iterator[int]:
    """The page of a node in which all is well: its port."""
    port = bench.free_port()
    context = bench.make_context(root, web={"port": port, **web})
    server = WebServer(replace(context, health=lambda: {"database": None}))
    server.start()
    try:
        yield port
    finally:
        server.stop()


def health(port: int, **more: Any) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False, timeout=10, **more)


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "tls", "web", "visitor")


def own(made: Certificates, **more: Any) -> dict[str, Any]:
    return {"certificate": str(made.certificate("web")), "key": str(made.key("web")), **more}


def test_client_certificates_without_their_authority_are_an_error(
    tmp_path: Path, made: Certificates
) -> None:
    """The same words as of the listener, for the same settings."""
    with pytest.raises(ConfigurationError) as listener:
        server_context(ServerTls.model_validate(own(made)))
    with pytest.raises(ConfigurationError) as page, served(tmp_path, tls=own(made)):
        pass
    assert (page.value.code, str(page.value)) == (listener.value.code, str(listener.value))
    assert "required needs tls.ca" in str(page.value)


def test_who_has_no_certificate_is_not_served(tmp_path: Path, made: Certificates) -> None:
    client = ssl.create_default_context(cafile=str(made.ca))
    with served(tmp_path, tls=own(made, ca=str(made.ca))) as port:
        url = f"https://localhost:{port}/healthz"
        with pytest.raises(httpx.TransportError):
            httpx.get(url, verify=client, trust_env=False)
        client.load_cert_chain(made.certificate("visitor"), made.key("visitor"))
        assert httpx.get(url, verify=client, trust_env=False).status_code == 200


def test_without_client_certificates_tls_is_served_by_the_profile(
    tmp_path: Path, made: Certificates
) -> None:
    client = ssl.create_default_context(cafile=str(made.ca))
    with served(tmp_path, tls=own(made, client_certificates="none")) as port:
        url = f"https://localhost:{port}/healthz"
        assert httpx.get(url, verify=client, trust_env=False).status_code == 200
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers("AES256-GCM-SHA384")
        with pytest.raises(httpx.TransportError):
            httpx.get(url, verify=client, trust_env=False)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nname=",
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_connections_that_bring_no_request_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(request_timeout, "REQUEST_SECONDS", 2.0)
    with served(tmp_path) as port, ExitStack() as held:
        silent = [held.enter_context(connected(port, said)) for _ in range(205)]
        bench.until(lambda: _well(port), 60)
        for one in silent[:3]:
            one.settimeout(5)
            assert _ended(one)


def _well(port: int) -> bool:
    try:
        return health(port).status_code == 200
    except httpx.TransportError:
        return False


def connected(port: int, said: bytes) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port))
    made.sendall(said)
    return made


def _ended(one: socket.socket) -> bool:
    try:
        while one.recv(4096):
            pass
    except ConnectionResetError:
        return True
    return True


def test_a_byte_now_and_then_wins_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_timeout, "REQUEST_SECONDS", 0.5)
    with served(tmp_path) as port, connected(port, b"GET /") as slow:
        slow.settimeout(0.1)

        def drips() -> bool:
            try:
                slow.sendall(b"x")
                return slow.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        assert bench.until(drips, 5)


def test_a_connection_that_is_used_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_timeout, "REQUEST_SECONDS", 0.3)
    with served(tmp_path) as port:
        used = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        for _ in range(4):
            used.request("GET", "/healthz")
            assert used.getresponse().read().startswith(b"{")
            time.sleep(0.2)
        used.close()


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_a_probe_asks_by_the_pods_address(tmp_path: Path, path: str) -> None:
    visitor = ward.Visitor(ward.make_ward(tmp_path))
    answer = visitor.get(path, headers={"host": "10.42.0.17:8042"})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/sign-in", "/healthz/", "/metrics/x", "/static/node.js"])
def test_all_else_is_asked_by_a_known_name(tmp_path: Path, path: str) -> None:
    visitor = ward.Visitor(ward.make_ward(tmp_path))
    assert visitor.get(path, headers={"host": "10.42.0.17:8042"}).status_code == 421


def test_what_programs_are_told_is_nothing_of_a_patient(tmp_path: Path) -> None:
    context = ward.make_ward(tmp_path)
    bench.add_job(context)
    visitor = ward.Visitor(context)
    for path in ("/healthz", "/metrics"):
        told = visitor.get(path).text
        for secret in (bench.NAME, bench.PATIENT_ID, "Zebediah", "ACC-99", "2.25.7"):
            assert secret not in told


@pytest.mark.parametrize(("proxies", "warned"), [([], True), (["10.0.0.9"], False)])
def test_a_proxy_that_is_not_named_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, proxies: list[str], warned: bool
) -> None:
    caplog.set_level(logging.WARNING)
    with served(tmp_path, plain_http=True, proxies=proxies):
        pass
    assert ("web.proxies" in caplog.text) is warned
