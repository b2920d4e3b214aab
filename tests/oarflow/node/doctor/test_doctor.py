"""What `doctor` says of page, alarm, DICOMweb destinations and the application's settings."""

from __future__ import annotations

import errno
import http.server
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from oarflow.networks.card import Role
from oarflow.node.database import Database
from oarflow.node.database.models import User
from oarflow.node.doctor import application, machine, peers, ports, results
from oarflow.node.doctor.results import CheckResult, CheckStatus
from oarflow.node.execution.application import default_command
from oarflow.node.settings import NodeSettings
from oarflow.node.web.server import WebServer
from tests.oarflow.chain import save_model
from tests.oarflow.commissioning.made_up_records import commission_all
from tests.oarflow.node.delivery import bench
from tests.oarflow.node.node_bench import free_port, settings_at


def only(settings: NodeSettings, check: results.Check, subject: str) -> CheckResult:
    (finding,) = [one for one in check(settings) if one.subject == subject]
    return finding


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that answers so to everything: its address."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("check", [ports.listener, ports.web])
def test_the_remedy_is_for_what_is_wrong(tmp_path: Path, check: results.Check) -> None:
    subject = "listener" if check is ports.listener else "web"
    away = {"host": "192.0.2.1", "port": free_port()}
    if subject == "web":
        away["plain_http"] = True
    finding = only(settings_at(tmp_path, **{subject: away}), check, subject)
    assert finding.status is CheckStatus.BAD
    assert "ss -ltnp" not in finding.remedy
    assert "an address of this machine" in finding.remedy
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = {subject: {"port": other.getsockname()[1]}}
        assert "ss -ltnp" in only(settings_at(tmp_path, **taken), check, subject).remedy


def test_a_low_port_needs_a_right() -> None:
    finding = ports.not_had("web", "127.0.0.1", 80, PermissionError(errno.EACCES, "denied"))
    assert "CAP_NET_BIND_SERVICE" in finding.remedy


def test_the_page_s_certificate_and_users(tmp_path: Path) -> None:
    tls = {"certificate": "/nowhere.pem", "key": "/nowhere.key", "client_certificates": "none"}
    settings = settings_at(tmp_path, web={"tls": tls})
    marks = [one.status for one in ports.web(settings) if one.subject == "web"]
    assert marks == [CheckStatus.GOOD, CheckStatus.BAD]
    assert only(settings, ports.web, "users").status is CheckStatus.DOUBTFUL
    settings.storage.root.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    database.migrate()
    with database.write() as session:
        session.add(User(name="jane", password_hash="", role="operator"))
    assert only(settings, ports.web, "users").status is CheckStatus.GOOD


def test_the_running_node_has_its_page_s_port(tmp_path: Path) -> None:
    context = bench.make_context(tmp_path, web={"port": free_port()})
    server = WebServer(type(context)(context.settings, context.database, lambda: {"web": None}))
    server.start()
    try:
        finding = only(context.settings, ports.web, "web")
    finally:
        server.stop()
    assert "the page answers" in finding.text


@pytest.mark.parametrize(
    ("status", "mark"),
    [
        (200, CheckStatus.GOOD),
        (204, CheckStatus.GOOD),
        (404, CheckStatus.DOUBTFUL),
        (401, CheckStatus.BAD),
        (503, CheckStatus.BAD),
    ],
)
def test_a_dicomweb_destination_is_asked(tmp_path: Path, status: int, mark: CheckStatus) -> None:
    with answering(status) as url:
        settings = going_to(tmp_path, kind="dicomweb", url=url)
        assert only(settings, peers.peers, "destination there").status is mark


def going_to(tmp_path: Path, **destination: Any) -> NodeSettings:
    return settings_at(tmp_path, delivery={"destinations": {"there": destination}})


def test_a_dicomweb_destination_that_is_away_and_a_secret_that_is_gone(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    finding = only(going_to(tmp_path, kind="dicomweb", url=url), peers.peers, "destination there")
    assert (finding.status, "does not answer" in finding.text) == (CheckStatus.BAD, True)
    settings = going_to(tmp_path, kind="dicomweb", url=url, token="/nowhere")
    finding = only(settings, peers.peers, "destination there")
    assert "cannot be read: No such file" in finding.text


def test_a_missing_folder_is_told_apart_from_one_without_rights(tmp_path: Path) -> None:
    """As before the first start, where nothing has made the folders yet."""
    missing = going_to(tmp_path, kind="folder", path=str(tmp_path / "contours"))
    finding = only(missing, peers.peers, "destination there")
    assert finding.status is CheckStatus.BAD
    assert "does not exist" in finding.text
    assert "before the node starts" in finding.remedy
    (tmp_path / "contours").mkdir()
    assert only(missing, peers.peers, "destination there").status is CheckStatus.GOOD
    state = {"folder": "/proc/nobody/may/make/this"}
    finding = only(settings_at(tmp_path, storage=state), machine.storage, "storage")
    assert finding.status is CheckStatus.BAD
    assert "does not exist" in finding.text
    assert "StateDirectory" in finding.remedy


def test_an_alarm_that_nobody_would_hear(tmp_path: Path) -> None:
    mail = {"host": "127.0.0.1", "port": free_port(), "sender": "a@b", "to": ["c@d"]}
    webhook = f"http://127.0.0.1:{free_port()}/alarm"
    settings = settings_at(tmp_path, delivery={"alarm": {"mail": mail, "webhook": webhook}})
    findings = list(peers.alarm(settings))
    assert [one.status for one in findings] == [CheckStatus.BAD, CheckStatus.BAD]
    with answering(405) as url:
        settings = settings_at(tmp_path, delivery={"alarm": {"webhook": url}})
        assert only(settings, peers.alarm, "alarm").status is CheckStatus.GOOD
    share = going_to(tmp_path, kind="folder", path=str(tmp_path))
    assert only(share, peers.alarm, "alarm").status is CheckStatus.DOUBTFUL


@pytest.mark.parametrize(
    ("asked", "mark"),
    [({}, CheckStatus.BAD), ({"seg": False}, CheckStatus.BAD), ({"seg": True}, None)],
)
def test_what_a_destination_wants_is_held_against_what_is_written(
    tmp_path: Path, asked: dict[str, bool], mark: CheckStatus | None
) -> None:
    config = tmp_path / "app.yaml"
    config.write_text(yaml.safe_dump({"outputs": asked}))
    destination = {"kind": "folder", "path": str(tmp_path), "objects": ["SEG"]}
    settings = settings_at(
        tmp_path,
        delivery={"destinations": {"there": destination}},
        execution={"config": str(config)},
    )
    findings = list(application.outputs(settings))
    assert [one.status for one in findings] == ([mark] if mark else [])
    assert all("outputs: {seg: true}" in one.remedy for one in findings)
    both = {**destination, "objects": ["RTSTRUCT", "SEG"]}
    settings = settings_at(
        tmp_path, delivery={"destinations": {"there": both}}, execution={"config": str(config)}
    )
    marks = [one.status for one in application.outputs(settings)]
    assert marks == ([CheckStatus.DOUBTFUL] if mark else [])


def test_the_application_s_settings_must_be_there(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, execution={"config": "/nowhere.yaml"})
    assert "No such file" in only(settings, application.outputs, "application").text


def test_the_application_says_itself_what_it_writes(tmp_path: Path) -> None:
    """The shipped command, without settings: no SEG."""
    destination = {"kind": "folder", "path": str(tmp_path), "objects": ["SEG"]}
    settings = NodeSettings.model_validate({"delivery": {"destinations": {"there": destination}}})
    assert only(settings, application.outputs, "destination there").status is CheckStatus.BAD
    config = tmp_path / "app.yaml"
    config.write_text("outptus: {seg: true}")
    settings = settings.model_copy(
        update={"execution": settings.execution.model_copy(update={"config": config})}
    )
    assert "does not accept" in only(settings, application.outputs, "application").text


def test_a_command_of_the_site_s_own(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, execution={"command": ["true", "{input}"]})
    said = [one for one in application.application(settings) if one.subject == "application"]
    assert [one.status for one in said] == [CheckStatus.GOOD, CheckStatus.BAD, CheckStatus.DOUBTFUL]
    assert said[0].text.endswith(f": {shutil.which('true')}")
    assert "{output}" in said[1].text


def test_a_damaged_database_is_named_with_the_command_that_restores_it(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)
    file = Path(settings.database_url.removeprefix("sqlite:///"))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"no database " * 1000)
    finding = only(settings, machine.database, "database")
    assert finding.status is CheckStatus.BAD
    assert "damaged" in finding.text
    assert "oarflow node restore ARCHIVE" in finding.remedy


def test_networks_that_are_not_commissioned_are_named(tmp_path: Path) -> None:
    models, config = tmp_path / "models", tmp_path / "app.yaml"
    own = save_model(models / "own", Role.SEGMENTER, ("Parotid_L",), (0, 2, 2), (0, 64, 64))
    config.write_text("commissioned: records")
    settings = settings_at(
        tmp_path,
        execution={
            "models": str(models),
            "config": str(config),
            "command": default_command(),
        },
    )
    lost = only(settings, application.networks, "networks")
    assert lost.status is CheckStatus.BAD
    commission_all(models, tmp_path / "records")
    assert list(application.networks(settings)) == []
    record = tmp_path / "records" / f"{own.sha256}.json"
    record.write_text(record.read_text().replace("Jane", "John"))
    found = only(settings, application.networks, "network own")
    assert found.status is CheckStatus.DOUBTFUL
    assert "record not valid: it was changed after it was made" in found.text
    record.unlink()
    assert only(settings, application.networks, "network own").text.endswith(": no")
    assert "oarflow commission" in found.remedy
