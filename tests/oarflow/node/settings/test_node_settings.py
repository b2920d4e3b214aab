"""The settings: what is printed of them, what the page says of them; pulling with a password."""

from __future__ import annotations

import base64
import http.server
import stat
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from oarflow.errors import ConfigurationError
from oarflow.node.assembly.node import Node
from oarflow.node.batch.batch import STATE_FOLDER
from oarflow.node.database import Database
from oarflow.node.doctor import machine
from oarflow.node.pulling.query import Query
from oarflow.node.pulling.web import WebPacs
from oarflow.node.settings import DicomWeb, NodeSettings, StorageSettings
from oarflow.node.settings.delivery import DicomWebDestination
from tests.oarflow.node.node_bench import ROOT, settings_at

SECRET = "hunter2"

KEEPING: list[dict[str, Any]] = [
    {"database": {"url": f"postgresql:///oarflow?user=oarflow&password={SECRET}"}},
    {"database": {"url": f"postgresql://oarflow:{SECRET}@db/oarflow"}},
    {"database": {"url": f"postgresql://oarflow:{SECRET}/a@b@db/oarflow"}},
    {"pull": {"pacs": {"dicomweb": {"url": f"https://user:{SECRET}@archive/dicom-web"}}}},
    {"delivery": {"alarm": {"webhook": f"https://user:{SECRET}@bell/x"}}},
    {"delivery": {"alarm": {"webhook": f"https://bell/x?token={SECRET}"}}},
    {"execution": {"environment": {"LICENCE_TOKEN": SECRET}}},
    {"execution": {"command": ["run", f"--password={SECRET}"]}},
]


@pytest.mark.parametrize("document", KEEPING, ids=lambda document: str(document)[:60])
def test_no_password_is_printed(document: dict[str, Any]) -> None:
    printed = NodeSettings.model_validate(document).as_yaml()
    assert SECRET not in printed
    assert "***" in printed


def test_what_is_no_secret_is_printed() -> None:
    url = "postgresql://oarflow@db:5432/oarflow?sslmode=require&password=x"
    mail = {"host": "mail", "sender": "a@b", "to": ["c@d"], "user": "u", "password": "/etc/mail"}
    settings = {"database": {"url": url}, "delivery": {"alarm": {"mail": mail}}}
    printed = yaml.safe_load(NodeSettings.model_validate(settings).as_yaml())
    expected = "postgresql://***@db:5432/oarflow?sslmode=require&password=***"
    assert printed["database"]["url"] == expected
    assert printed["delivery"]["alarm"]["mail"]["password"] == "/etc/mail"
    assert printed["delivery"]["alarm"]["mail"]["to"] == ["c@d"]


class _Archive(http.server.BaseHTTPRequestHandler):
    """A DICOMweb service without studies, which notes who signs in."""

    heard: list[str]

    def do_GET(self) -> None:
        self.heard.append(self.headers.get("Authorization", ""))
        self.send_response(200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def archive() -> Iterator[tuple[str, list[str]]]:
    handler = type("Archive", (_Archive,), {"heard": []})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/dicom-web", handler.heard
    server.shutdown()
    server.server_close()


def test_a_pull_signs_in_with_user_and_password(
    archive: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever .netrc says of the host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    url, heard = archive
    secret = tmp_path / "password"
    secret.write_text("pässword\n", encoding="utf-8")
    pacs = WebPacs("pacs", DicomWeb(url=url, user="jane", password=secret), "OARFLOW")
    assert pacs.find(Query(accession_number="A1")) == []
    assert heard == ["Basic " + base64.b64encode("jane:pässword".encode()).decode()]
    secret.write_text("abc")
    WebPacs("pacs", DicomWeb(url=url, token=secret), "OARFLOW").echo()
    assert heard[-1] == "Bearer abc"


def test_a_password_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(ConfigurationError, match="missing") as error:
        WebPacs("pacs", DicomWeb(url="http://x/y", user="jane", password=missing), "OARFLOW")
    assert error.value.code == "PASSWORD"


STOW = partial(DicomWebDestination, kind="dicomweb")


@pytest.mark.parametrize("service", [DicomWeb, STOW], ids=["pull", "delivery"])
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"user": "jane"}, "user and password go together"),
        ({"password": Path("secret")}, "user and password go together"),
        ({"certificate": Path("node.pem")}, "certificate and key go together"),
        ({"key": Path("node.key")}, "certificate and key go together"),
    ],
)
def test_half_a_sign_in_is_refused(
    service: Callable[..., object], given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        service(url="http://x/y", **given)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_doctor_leaves_nothing_that_others_can_read(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, storage={"folder": str(tmp_path / "new")})
    list(machine.storage(settings))
    list(machine.database(settings))
    root = settings.storage.root
    assert mode(root) == 0o750
    assert mode(root / "node.db") == 0o600


def test_the_node_takes_from_others_what_they_could_read(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, storage={"folder": str(tmp_path / "old")})
    root = settings.storage.root
    root.mkdir()
    database = Database(settings.database_url)
    database.migrate()
    root.chmod(0o755)
    for name in ("node.db", "node.db-wal", "node.db-shm"):
        (root / name).chmod(0o644)
    database.close()
    (root / "node.db").chmod(0o644)
    node = Node(settings)
    node.open()
    try:
        assert mode(root) == 0o750
        assert {mode(path) for path in root.glob("node.db*")} == {0o600}
    finally:
        node.close()


def test_git_never_takes_the_images_of_patients() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert f"{StorageSettings().folder}/" in ignored
    assert f"{STATE_FOLDER}/" in ignored
