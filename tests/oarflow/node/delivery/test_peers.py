"""Real peers get the objects; peers that fail get them in the end, and once."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    RTStructureSetStorage,
    StorageCommitmentPushModel,
)

from oarflow.node.assembly.parts import NodeContext
from oarflow.node.database import deliveries
from oarflow.node.delivery import commitment
from oarflow.node.states import State
from tests.oarflow.node.delivery import bench, peers

UID = str(dcmread(bench.RTSTRUCT, stop_before_pixels=True).SOPInstanceUID)
CONTENT = dcmread(bench.RTSTRUCT)


def to_peer(port: int, ae_title: str = "STORESCP", **changes: Any) -> dict[str, Any]:
    """The section `delivery` with one DICOM peer, called `tps`."""
    peer = {"kind": "dicom", "ae_title": ae_title, "host": "127.0.0.1", "port": port}
    return bench.delivering(destinations={"tps": {**peer, **changes}}, otherwise=["tps"])


def deliver(context: NodeContext, seconds: float = 20) -> Any:
    """Add a job and wait until it is delivered."""
    job_id = bench.add_job(context)
    with bench.Running(context) as running:
        bench.until(lambda: running.state(job_id) is State.DELIVERED, seconds)
    return bench.look(context, job_id)


@contextmanager
def scripted(
    handlers: list[Any], *, classes: tuple[str, ...] = (RTStructureSetStorage,), **changes: Any
) -> Iterator[int]:
    """A peer that behaves as told: its port."""
    ae = AE(ae_title="STORESCP")
    for sop_class in classes:
        ae.add_supported_context(sop_class)
    for name, value in changes.items():
        setattr(ae, name, value)
    port = bench.free_port()
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield port
    finally:
        server.shutdown()


class Keeper:
    """Stores what comes; `first` decides what becomes of the first attempts."""

    def __init__(self, *first: Callable[[evt.Event], int]) -> None:
        self.first = list(first)
        self.attempts = 0
        self.kept: list[Dataset] = []

    def handle(self, event: evt.Event) -> int:
        self.attempts += 1
        if self.first:
            return self.first.pop(0)(event)
        self.kept.append(event.dataset)
        return 0x0000

    @property
    def uids(self) -> list[str]:
        return [str(dataset.SOPInstanceUID) for dataset in self.kept]


def test_storescp_gets_it(tmp_path: Path) -> None:
    received = tmp_path / "received"
    with peers.storescp(received) as port:
        context = bench.make_context(tmp_path, delivery=to_peer(port))
        deliver(context)
    files = list(received.iterdir())
    assert [dcmread(path) for path in files] == [CONTENT]


def test_storescp_gets_it_by_tls_with_client_certificates(tmp_path: Path) -> None:
    made = peers.make_certificates(tmp_path / "pki", "peer", "node")
    received = tmp_path / "received"
    flags = ["+tls", str(made.key("peer")), str(made.certificate("peer"))]
    flags += ["+cf", str(made.ca), "-rc"]
    tls = {
        "ca": str(made.ca),
        "certificate": str(made.certificate("node")),
        "key": str(made.key("node")),
    }
    with peers.storescp(received, *flags) as port:
        deliver(bench.make_context(tmp_path, delivery=to_peer(port, tls=tls)))
    assert [dcmread(path) for path in received.iterdir()] == [CONTENT]


@pytest.mark.parametrize("wrong", ["another authority", "no certificate of ours", "no TLS"])
def test_without_the_right_certificates_nothing_is_sent(tmp_path: Path, wrong: str) -> None:
    made = peers.make_certificates(tmp_path / "pki", "peer", "node")
    stranger = peers.make_certificates(tmp_path / "other", "node")
    received = tmp_path / "received"
    flags = ["+tls", str(made.key("peer")), str(made.certificate("peer"))]
    flags += ["+cf", str(made.ca), "-rc"]
    tls: dict[str, Any] | None = {
        "ca": str(stranger.ca if wrong == "another authority" else made.ca),
        "certificate": str(made.certificate("node")),
        "key": str(made.key("node")),
    }
    if wrong == "no certificate of ours":
        tls = {"ca": str(made.ca)}
    if wrong == "no TLS":
        tls = None
    with peers.storescp(received, *flags) as port:
        context = bench.make_context(tmp_path, delivery=to_peer(port, tls=tls, timeout_seconds=2))
        job_id = bench.add_job(context)
        with bench.Running(context) as running:
            bench.until(lambda: bench.look(context, job_id).deliveries)
            bench.until(lambda: bench.look(context, job_id).deliveries[0].attempts >= 1)
            assert running.state(job_id) is State.DELIVERING
    assert list(received.iterdir()) == []


def test_a_peer_that_is_down_gets_it_when_it_is_up(tmp_path: Path) -> None:
    port = bench.free_port()
    received = tmp_path / "received"
    context = bench.make_context(tmp_path, delivery=to_peer(port))
    job_id = bench.add_job(context)
    with bench.Running(context) as running:
        bench.until(lambda: bench.look(context, job_id).deliveries)
        bench.until(lambda: bench.look(context, job_id).deliveries[0].attempts >= 2)
        assert "cannot be reached" in bench.look(context, job_id).deliveries[0].reason
        with peers.storescp(received, port=port):
            running.reaches(job_id, State.DELIVERED)
    assert [dcmread(path) for path in received.iterdir()] == [CONTENT]


def test_a_name_that_nobody_knows_is_an_attempt(tmp_path: Path) -> None:
    """Without a network there is no name service: it waits, and counts, as a peer that is down."""
    context = bench.make_context(tmp_path, delivery=to_peer(104, host="peer.invalid"))
    job_id = bench.add_job(context)
    with bench.Running(context):
        bench.until(lambda: bench.look(context, job_id).deliveries)
        bench.until(lambda: bench.look(context, job_id).deliveries[0].attempts >= 2)
    row = bench.look(context, job_id).deliveries[0]
    assert row.reason == "the name peer.invalid cannot be resolved"


def _busy(_: evt.Event) -> int:
    return 0xA700


def _not_understood(_: evt.Event) -> int:
    return 0xC000


def _slow(_: evt.Event) -> int:
    time.sleep(2.5)
    return 0x0000


def _drop(event: evt.Event) -> int:
    event.assoc.abort()
    return 0x0000


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (_busy, "the peer is out of resources (A700)"),
        (_not_understood, "the peer refuses the object (it cannot understand the data set, C000)"),
        (_slow, "the peer stopped answering or dropped the association"),
        (_drop, "the peer stopped answering or dropped the association"),
    ],
)
def test_a_peer_that_fails_once_gets_it_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, first: Any, reason: str
) -> None:
    keeper = Keeper(first)
    with scripted([(evt.EVT_C_STORE, keeper.handle)]) as port:
        context = bench.make_context(tmp_path, delivery=to_peer(port, timeout_seconds=1))
        deliver(context)
    assert (keeper.attempts, keeper.uids) == (2, [UID])
    assert reason in caplog.text


def test_a_connection_cut_in_the_middle_of_a_file(tmp_path: Path) -> None:
    """The peer's machine is gone after some of the file's PDUs."""
    keeper = Keeper()
    cut: list[int] = []

    def cutting(event: evt.Event) -> None:
        if len(cut) < 3:
            cut.append(1)
            if len(cut) == 3:
                event.assoc.dul.socket.close()

    handlers = [(evt.EVT_C_STORE, keeper.handle), (evt.EVT_DATA_RECV, cutting)]
    with scripted(handlers, maximum_pdu_size=4096) as port:
        deliver(bench.make_context(tmp_path, delivery=to_peer(port, timeout_seconds=5)))
    assert len(cut) == 3
    assert keeper.uids == [UID]
    assert len(bench.RTSTRUCT.read_bytes()) > 4 * 4096


def test_a_peer_that_does_not_take_structure_sets(tmp_path: Path) -> None:
    keeper = Keeper()
    with scripted([(evt.EVT_C_STORE, keeper.handle)], classes=(CTImageStorage,)) as port:
        context = bench.make_context(tmp_path, delivery=to_peer(port))
        job_id = bench.add_job(context)
        with bench.Running(context):
            bench.until(lambda: bench.look(context, job_id).deliveries)
            bench.until(lambda: bench.look(context, job_id).deliveries[0].attempts)
    row = bench.look(context, job_id).deliveries[0]
    assert row.reason == "the peer accepts none of the objects' SOP classes"
    assert (row.state, keeper.attempts) == ("waiting", 0)


def test_a_wrong_ae_title(tmp_path: Path) -> None:
    with scripted([], require_called_aet=True) as port:
        context = bench.make_context(tmp_path, delivery=to_peer(port, "NOBODY"))
        job_id = bench.add_job(context)
        with bench.Running(context):
            bench.until(lambda: bench.look(context, job_id).deliveries)
            bench.until(lambda: bench.look(context, job_id).deliveries[0].attempts)
    reason = bench.look(context, job_id).deliveries[0].reason
    assert reason == "the peer rejects the association: Called AE title not recognised"


@pytest.mark.node
def test_orthanc_has_it_in_the_study_and_commits_to_it(tmp_path: Path) -> None:
    """Orthanc reports on an association of its own; the job is delivered only then."""
    reporting = bench.free_port()
    ours = {"node": {"AET": "OARFLOW", "Host": "127.0.0.1", "Port": reporting}}
    with peers.orthanc(tmp_path / "orthanc", DicomModalities=ours) as pacs:
        context = bench.make_context(tmp_path, delivery=to_peer(pacs.dicom, "ORTHANC"))
        job_id = bench.add_job(context)
        with bench.Running(context) as running:
            bench.until(lambda: bench.look(context, job_id).deliveries)
            bench.until(lambda: bench.look(context, job_id).deliveries[0].commitment == "asked")
            assert running.state(job_id) is State.DELIVERING
            assert [dcmread_bytes(pacs.file(one)) for one in pacs.get("/instances")] == [CONTENT]
        studies = [pacs.get(f"/studies/{one}") for one in pacs.get("/studies")]
    assert [one["MainDicomTags"]["StudyInstanceUID"] for one in studies] == [
        CONTENT.StudyInstanceUID
    ]


def dcmread_bytes(content: bytes) -> Dataset:
    import io

    return dcmread(io.BytesIO(content))


@contextmanager
def reports_taken(context: NodeContext, port: int) -> Iterator[list[commitment.CommitmentReport]]:
    """What the node's listener does with a peer's reports."""
    taken: list[commitment.CommitmentReport] = []

    def reported(report: commitment.CommitmentReport) -> None:
        taken.append(report)
        with context.database.write() as session:
            deliveries.committed(
                session, report.transaction_uid, report.kept, report.lacking, lambda _: timedelta()
            )

    def handle(event: evt.Event) -> tuple[int, None]:
        return commitment.answer_report(event, reported)

    ae = AE(ae_title="OARFLOW")
    commitment.offer(ae)
    handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, handle)]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield taken
    finally:
        server.shutdown()


@pytest.mark.node
def test_orthancs_commitment_ends_the_delivery(tmp_path: Path) -> None:
    reporting = bench.free_port()
    ours = {"node": {"AET": "OARFLOW", "Host": "127.0.0.1", "Port": reporting}}
    with peers.orthanc(tmp_path / "orthanc", DicomModalities=ours) as pacs:
        context = bench.make_context(tmp_path, delivery=to_peer(pacs.dicom, "ORTHANC"))
        with reports_taken(context, reporting) as taken:
            job = deliver(context)
    assert [report.kept for report in taken] == [(UID,)]
    assert job.deliveries[0].reason == "stored, and the peer has committed to keep it"


class Committer(Keeper):
    """A peer that reports on the same association, and keeps nothing the first time."""

    def __init__(self, *lacking: bool) -> None:
        super().__init__()
        self.lacking = list(lacking)

    def act(self, event: evt.Event) -> tuple[int, None]:
        asked = event.action_information
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        lacks = self.lacking.pop(0) if self.lacking else False
        if lacks:
            report.FailedSOPSequence = asked.ReferencedSOPSequence
            for item in report.FailedSOPSequence:
                item.FailureReason = 0x0110
        else:
            report.ReferencedSOPSequence = asked.ReferencedSOPSequence
        threading.Timer(0.1, self._report, [event.assoc, report, 2 if lacks else 1]).start()
        return 0x0000, None

    def _report(self, association: Any, report: Dataset, kind: int) -> None:
        association.send_n_event_report(
            report, kind, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1"
        )


@pytest.mark.node
def test_what_the_peer_does_not_keep_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The report comes on the same association alone: a busy machine must not miss it.
    monkeypatch.setattr("oarflow.node.delivery.dicom.REPORT_WAIT_SECONDS", 60.0)
    peer = Committer(True)
    handlers = [(evt.EVT_C_STORE, peer.handle), (evt.EVT_N_ACTION, peer.act)]
    classes = (RTStructureSetStorage, StorageCommitmentPushModel)
    with scripted(handlers, classes=classes) as port:
        job = deliver(bench.make_context(tmp_path, delivery=to_peer(port)))
    assert peer.uids == [UID, UID]
    assert job.deliveries[0].commitment == "kept"


@pytest.mark.node
def test_a_peer_that_never_keeps_what_it_stores_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oarflow.node.delivery.dicom.REPORT_WAIT_SECONDS", 60.0)
    peer = Committer(*[True] * 20)
    handlers = [(evt.EVT_C_STORE, peer.handle), (evt.EVT_N_ACTION, peer.act)]
    classes = (RTStructureSetStorage, StorageCommitmentPushModel)
    with scripted(handlers, classes=classes) as port:
        section = to_peer(port)
        # Pauses of 0.05, 0.1 and 0.2 s: the third exceeds the sum.
        section["retry"] |= {"give_up_hours": 0.25 / 3600}
        context = bench.make_context(tmp_path, delivery=section)
        job_id = bench.add_job(context)
        with bench.Running(context) as running:
            job = running.reaches(job_id, State.DEAD_LETTER)
    assert peer.uids == [UID] * 3
    assert job.deliveries[0].reason == "the peer reports that it does not keep 1 of the objects"


def test_a_peer_that_declines_commitment_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    peer = Keeper()
    handlers = [
        (evt.EVT_C_STORE, peer.handle),
        (evt.EVT_N_ACTION, lambda _: (0x0110, None)),
    ]
    classes = (RTStructureSetStorage, StorageCommitmentPushModel)
    with scripted(handlers, classes=classes) as port:
        job = deliver(bench.make_context(tmp_path, delivery=to_peer(port)))
    said = "the peer declines storage commitment (0110)"
    assert job.deliveries[0].reason == f"delivered; {said}"
    assert f"to tps: {said}" in caplog.text


@pytest.mark.node
def test_a_peer_that_never_reports_is_asked_again_and_not_sent_to_again(tmp_path: Path) -> None:
    peer = Keeper()
    asked: list[str] = []

    def act(event: evt.Event) -> tuple[int, None]:
        asked.append(str(event.action_information.TransactionUID))
        return 0x0000, None

    handlers = [(evt.EVT_C_STORE, peer.handle), (evt.EVT_N_ACTION, act)]
    classes = (RTStructureSetStorage, StorageCommitmentPushModel)
    with scripted(handlers, classes=classes) as port:
        context = bench.make_context(tmp_path, delivery=to_peer(port, commitment_seconds=0.1))
        job_id = bench.add_job(context)
        with bench.Running(context):
            bench.until(lambda: len(asked) == 2)
        assert bench.look(context, job_id).state is State.DELIVERING
    assert peer.uids == [UID]
    assert len(set(asked)) == 2


def to_web(url: str, **changes: Any) -> dict[str, Any]:
    """The section `delivery` with one STOW-RS service, called `pacs`."""
    web = {"kind": "dicomweb", "url": url, **changes}
    return bench.delivering(destinations={"pacs": web}, otherwise=["pacs"])


def test_orthanc_takes_it_by_stow(tmp_path: Path) -> None:
    with peers.orthanc(tmp_path / "orthanc") as pacs:
        url = f"http://127.0.0.1:{pacs.http}/dicom-web"
        deliver(bench.make_context(tmp_path, delivery=to_web(url)))
        stored = [pacs.file(one) for one in pacs.get("/instances")]
    assert [dcmread_bytes(content) for content in stored] == [CONTENT]


def test_orthanc_has_what_it_was_sent_before_by_stow(tmp_path: Path) -> None:
    """A database that was lost sends all again: the object is there already, and that is well."""
    with peers.orthanc(tmp_path / "orthanc", OverwriteInstances=False) as pacs:
        url = f"http://127.0.0.1:{pacs.http}/dicom-web"
        for root in (tmp_path / "1", tmp_path / "2"):
            deliver(bench.make_context(root, delivery=to_web(url)))
        assert len(pacs.get("/instances")) == 1


@pytest.mark.node
def test_a_stow_service_with_tls_and_password(tmp_path: Path) -> None:
    """Orthanc behind a proxy for TLS, as hospitals have it."""
    made = peers.make_certificates(tmp_path / "pki", "peer")
    stranger = peers.make_certificates(tmp_path / "other").ca
    secret = tmp_path / "secret"
    secret.write_text("pa:ss\n")
    login = {"user": "node", "password": str(secret)}
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"node": "pa:ss"}}
    with (
        peers.orthanc(tmp_path / "orthanc", **users) as pacs,
        peers.https_before(pacs.http, made, "peer") as port,
    ):
        url = f"https://127.0.0.1:{port}/dicom-web"
        no_login = to_web(url, ca=str(made.ca))
        assert "HTTP status 401" in first_reason(tmp_path / "1", no_login)
        distrusted = to_web(url, ca=str(stranger), **login)
        assert "its certificate is not trusted" in first_reason(tmp_path / "2", distrusted)
        deliver(bench.make_context(tmp_path / "3", delivery=to_web(url, ca=str(made.ca), **login)))


def first_reason(root: Path, delivery: dict[str, Any]) -> str:
    """Why the first attempt failed."""
    context = bench.make_context(root, delivery=delivery)
    job_id = bench.add_job(context)
    with bench.Running(context):
        bench.until(lambda: bench.look(context, job_id).deliveries)
        bench.until(lambda: bench.look(context, job_id).deliveries[0].attempts)
    return bench.look(context, job_id).deliveries[0].reason


class _Answering(http.server.BaseHTTPRequestHandler):
    answers: list[tuple[int, bytes]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _stored(sequence: str, reason: int | None = None) -> bytes:
    item: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [UID]}}
    if reason is not None:
        item["00081197"] = {"vr": "US", "Value": [reason]}
    return json.dumps({sequence: {"vr": "SQ", "Value": [item]}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (503, b"", "the service cannot store now (HTTP status 503)"),
        (
            409,
            _stored("00081198", 0xA900),
            "(the data set does not match its SOP class, A900), HTTP status 409",
        ),
        (200, b"not json", "the service's answer does not list the object"),
        (200, b'{"00081199": [7]}', "the service's answer does not list the object"),
        (302, b"", "the service refuses the request (HTTP status 302)"),
    ],
)
def test_a_stow_answer_is_believed_only_where_it_names_the_object(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int, body: bytes, reason: str
) -> None:
    answers = [(status, body), (200, _stored("00081199"))]
    handler = type("Answering", (_Answering,), {"answers": answers})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/dicom-web"
        job = deliver(bench.make_context(tmp_path, delivery=to_web(url)))
        server.shutdown()
    assert reason in caplog.text
    assert job.deliveries[0].attempts == 1


def test_a_warning_of_the_peer_stands_on_the_job(tmp_path: Path) -> None:
    """Discarded elements may be contours: stored, and a person must know."""
    with scripted([(evt.EVT_C_STORE, lambda _: 0xB006)]) as port:
        job = deliver(bench.make_context(tmp_path / "1", delivery=to_peer(port)))
    said = "stored, but the peer discarded data elements (B006)"
    assert (job.deliveries[0].reason, job.deliveries[0].attempts) == (f"delivered; {said}", 0)
    assert f"tps: RTSTRUCT {said}" in [step.reason for step in job.steps]
