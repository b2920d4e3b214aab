"""Alarms by mail, to an SMTP server of the test's own."""

from __future__ import annotations

import base64
import email
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.database import jobs
from oarflow.node.database.models import AlarmEntry
from oarflow.node.delivery.alarm_channels import Alarm, notify
from oarflow.node.delivery.notifier import Notifier
from oarflow.node.settings.delivery import AlarmSettings
from oarflow.node.states import State
from tests.oarflow.node.delivery import bench, peers
from tests.oarflow.node.delivery.peers import Certificates, make_certificates

ALARM = Alarm("0123abcd", "tps", "the peer does not answer")
USER, PASSWORD = "oarflow", "correct horse"


class _Session(socketserver.StreamRequestHandler):
    """SMTP (RFC 5321) with STARTTLS and AUTH PLAIN, as far as smtplib asks for it."""

    server: Sink

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        self.say("220 sink")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(":")[0].upper()
            self.server.heard.append(line)
            if verb.startswith("EHLO"):
                self.say("250-sink")
                self.say("250-STARTTLS" if self.server.context else "250-8BITMIME")
                self.say("250 AUTH PLAIN")
            elif verb == "STARTTLS":
                self.say("220 go on")
                self.encrypt()
            elif verb.startswith("AUTH PLAIN"):
                given = base64.b64decode(line.split()[2]).decode()
                self.say("235 yes" if given == f"\0{USER}\0{PASSWORD}" else "535 no")
            elif verb == "DATA":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 yes")

    def encrypt(self) -> None:
        assert self.server.context is not None
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.setup()


class Sink(socketserver.ThreadingTCPServer):
    """context: for STARTTLS. heard: commands; mails: as they came."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.context = context
        self.heard: list[str] = []
        self.mails: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def sink(made: Certificates | None = None, *, wrapped: bool = False) -> Iterator[Sink]:
    """An SMTP server; with certificates by STARTTLS, or wrapped, by TLS from the first byte."""
    context = None
    if made is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.certificate("mail"), made.key("mail"))
    server = Sink(None if wrapped else context)
    if wrapped and context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def mail(port: int, **changes: Any) -> AlarmSettings:
    section = {
        "host": "localhost",
        "port": port,
        "encryption": "none",
        "sender": "oarflow@hospital.example",
        "to": ["physics@hospital.example", "it@hospital.example"],
        **changes,
    }
    return AlarmSettings.model_validate({"mail": section})


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "tls", "mail")


@pytest.mark.parametrize("encryption", ["none", "starttls", "tls"])
def test_a_mail_says_what_happened_to_everybody(
    made: Certificates, tmp_path: Path, encryption: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(made.ca))
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    given = None if encryption == "none" else made
    with sink(given, wrapped=encryption == "tls") as server:
        changes = {"encryption": encryption, "user": USER, "password": str(secret)}
        assert notify(mail(server.port, **changes), ALARM) == ()
    (raw,) = server.mails
    message = email.message_from_bytes(raw)
    assert message["To"] == "physics@hospital.example, it@hospital.example"
    assert message["Subject"] == "OARflow: dead letter at tps"
    assert "job: 0123abcd" in str(message.get_payload())
    assert "reason: the peer does not answer" in str(message.get_payload())
    assert sum(line.upper().startswith("RCPT TO") for line in server.heard) == 2
    assert ("STARTTLS" in [line.upper() for line in server.heard]) is (encryption == "starttls")


@pytest.mark.parametrize("wrong", ["password", "certificate", "no STARTTLS", "nobody there"])
def test_a_mail_that_fails_is_no_step_and_is_told(
    made: Certificates,
    tmp_path: Path,
    wrong: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if wrong != "certificate":
        monkeypatch.setenv("SSL_CERT_FILE", str(made.ca))
    secret = tmp_path / "password"
    secret.write_text("guessed" if wrong == "password" else PASSWORD)
    with sink(None if wrong == "no STARTTLS" else made) as server:
        port = bench.free_port() if wrong == "nobody there" else server.port
        changes = {"encryption": "starttls", "user": USER, "password": str(secret)}
        assert notify(mail(port, **changes), ALARM) == ("mail",)
    assert server.mails == []
    assert "the alarm could not be sent by mail" in caplog.text
    assert PASSWORD not in caplog.text


def test_a_dead_letter_is_mailed(tmp_path: Path) -> None:
    """Once, and nothing in it is of the patient."""
    share = tmp_path / "share"
    section = bench.to_folder(share)
    section["retry"] = {"first_seconds": 0.01, "longest_seconds": 0.01, "give_up_hours": 1e-5}
    share.rmdir()
    with sink() as server:
        alarm = mail(server.port).model_dump(mode="json")
        context = bench.make_context(tmp_path, delivery={**section, "alarm": alarm})
        job_id = bench.add_job(context)
        with bench.Running(context) as running:
            job = running.reaches(job_id, State.DEAD_LETTER)
            bench.until(lambda: server.mails)
    (raw,) = server.mails
    assert job.key.encode() in raw
    for secret in (bench.NAME, bench.PATIENT_ID, "Zebediah"):
        assert secret.encode() not in raw


def waiting(context: NodeContext, state: State) -> str:
    """A job that waits for a person there: its key."""
    job_id = bench.add_job(context)
    with context.database.write() as session:
        job = jobs.load(session, job_id)
        jobs.retry(session, job, "test")
        jobs.begin(session, job, "test")
        jobs.move(session, job, state, f"exit status {4 if state is State.HELD else 1}")
        return job.key


def entries(context: NodeContext) -> list[AlarmEntry]:
    with context.database.read() as session:
        return list(session.query(AlarmEntry).order_by(AlarmEntry.id))


def node(root: Path, alarm: dict[str, Any], **retry: float) -> NodeContext:
    pauses = {"first_seconds": 0.01, "longest_seconds": 0.01, "give_up_hours": 1, **retry}
    return bench.make_context(root, delivery=bench.delivering(alarm=alarm, retry=pauses))


@pytest.mark.parametrize("state", [State.HELD, State.FAILED])
def test_what_waits_for_a_person_is_told(tmp_path: Path, state: State) -> None:
    """Also where the node died between the step and the alarm: the row is the step's own."""
    with peers.bell() as (url, heard):
        context = node(tmp_path, {"webhook": url})
        key = waiting(context, state)
        assert [entry.state for entry in entries(context)] == ["open"]
        for _ in range(2):
            Notifier(context).tick()
    (told,) = heard
    assert (told["event"], told["job"], told["destination"]) == (state.value, key, "")
    assert "exit status" in told["reason"]
    assert told["at"]
    assert [entry.state for entry in entries(context)] == ["given"]


def test_who_wants_to_hear_of_dead_letters_alone_is_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with peers.bell() as (url, heard):
        context = node(tmp_path, {"webhook": url, "events": ["dead letter"]})
        key = waiting(context, State.HELD)
        Notifier(context).tick()
    assert heard == []
    assert [entry.state for entry in entries(context)] == ["not wanted"]
    assert f"held: job {key}" in caplog.text


def test_an_alarm_that_fails_is_given_again_by_what_failed_alone(tmp_path: Path) -> None:
    with peers.bell() as (url, heard), sink() as server:
        alarm = mail(server.port).model_dump(mode="json") | {"webhook": url}
        alarm["mail"]["port"] = bench.free_port()
        context = node(tmp_path, alarm)
        waiting(context, State.FAILED)
        notifier = Notifier(context)
        notifier.tick()
        assert (len(heard), server.mails) == (1, [])
        assert notifier.trouble() == "alarms cannot be sent by mail"
        alarm["mail"]["port"] = server.port
        mended = replace(context, settings=node(tmp_path, alarm).settings)
        again = Notifier(mended)
        bench.until(lambda: again.attempt() or server.mails)
        again.attempt()
    assert (len(heard), len(server.mails)) == (1, 1)
    assert again.trouble() is None
    assert [(entry.state, entry.told) for entry in entries(context)] == [
        ("given", ["webhook", "mail"])
    ]


def test_an_alarm_is_given_up_after_as_long_as_a_delivery(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alarm = {"webhook": f"http://127.0.0.1:{bench.free_port()}/"}
    context = node(tmp_path, alarm, give_up_hours=1e-5)
    waiting(context, State.HELD)
    notifier = Notifier(context)
    bench.until(lambda: notifier.attempt() or entries(context)[0].state == "given up")
    assert entries(context)[0].attempts > 1
    assert "is given up" in caplog.text


def test_without_anybody_to_tell_the_log_says_it_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = node(tmp_path, {})
    key = waiting(context, State.FAILED)
    for _ in range(2):
        Notifier(context).tick()
    assert caplog.text.count(f"failed: job {key}") == 1
