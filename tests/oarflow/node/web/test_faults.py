"""A fault of the page: what a patient's data may stand in reaches neither browser nor log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.web import views
from oarflow.node.web.server import WebServer
from tests.oarflow.node.delivery import bench
from tests.oarflow.node.web.ward import make_ward, signed_in

SECRET = f"{bench.NAME} {bench.PATIENT_ID}"


def failing(context: NodeContext, error: Exception) -> NodeContext:
    def fail() -> Mapping[str, str | None]:
        raise error

    return replace(context, health=fail)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError(SECRET), 500),
        (ExceptionGroup(SECRET, [ValueError(SECRET)]), 500),
        (OperationalError(SECRET, {}, Exception(SECRET)), 503),
    ],
)
def test_a_fault_is_named_by_its_kind_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, status: int
) -> None:
    """Through the real server: Starlette raises again what it has answered."""
    context = make_ward(tmp_path, web={"port": bench.free_port()})
    server = WebServer(failing(context, error))
    server.start()
    try:
        answer = httpx.get(f"http://localhost:{server.port}/healthz", trust_env=False)
    finally:
        server.stop()
    said = caplog.text + answer.text
    assert answer.status_code == status
    assert type(error).__name__ in caplog.text
    assert "Traceback" not in said
    assert bench.NAME not in said
    assert bench.PATIENT_ID not in said
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_fault_in_the_guard_itself_is_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(SECRET)

    context = make_ward(tmp_path, web={"port": bench.free_port()})
    monkeypatch.setattr("oarflow.node.web.protection.Protection._complaint", fail)
    server = WebServer(context)
    server.start()
    try:
        answer = httpx.get(f"http://localhost:{server.port}/", trust_env=False)
    finally:
        server.stop()
    assert answer.status_code == 500
    assert "RuntimeError" in caplog.text
    assert bench.NAME not in caplog.text + answer.text


def test_the_server_s_own_log_has_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    WebServer(make_ward(tmp_path, web={"port": bench.free_port()}))._config()
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
        logging.getLogger("uvicorn.error").error("it broke: %s", error)
    assert "Exception in ASGI application (ValueError)" in caplog.text
    assert "it broke: ValueError" in caplog.text
    assert "Traceback" not in caplog.text
    assert bench.NAME not in caplog.text


@pytest.mark.parametrize("before", [10**25, -1, 1 << 31])
def test_an_id_that_no_database_has_is_not_understood(tmp_path: Path, before: int) -> None:
    visitor = signed_in(make_ward(tmp_path))
    assert visitor.get(f"/audit?before={before}").status_code == 422
    assert visitor.get("/audit?before=5").status_code == 200
    assert visitor.get(f"/?number={10**25}").status_code == 200


def test_a_page_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(SECRET)

    visitor = signed_in(make_ward(tmp_path))
    monkeypatch.setattr(views, "listing", fail)
    answer = visitor.get("/")
    assert answer.status_code == 500
    assert "The node has a fault" in answer.text
    assert bench.NAME not in answer.text
