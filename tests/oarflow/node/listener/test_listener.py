"""The listener with real peers and with peers that misbehave: what it takes, and what it says."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import ssl
import struct
import subprocess
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydicom import dcmread
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian
from pynetdicom import AE, _config
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from sqlalchemy.exc import OperationalError

from oarflow.errors import ConfigurationError
from oarflow.node import files
from oarflow.node.assembly import node as node_module
from oarflow.node.assembly.node import Node
from oarflow.node.database import receiving
from oarflow.node.database.receiving import Origin, Standing
from oarflow.node.listener.admission import Admission
from oarflow.node.listener.server import Listener
from oarflow.node.requesting import associate
from oarflow.node.settings import ListenerSettings
from oarflow.node.storage import spool as spool_module
from oarflow.node.storage.dataset import inspect
from oarflow.node.storage.spool import split
from oarflow.node.storage.statuses import NotStored, StoreStatus
from oarflow.node.web.server import WebServer
from tests.oarflow.node.listener.test_flood import answer, rejected
from tests.oarflow.node.node_bench import (
    CT,
    SENDER,
    SYNTAX,
    Bench,
    as_file,
    ct_slice,
    encoded,
    free_port,
    send_files,
    uid,
    wait_for,
    write_series,
)

LIMIT = 1 << 20
UNREADABLE = "CT1_IVR_bigendian_undef_len.dcm"
"""A vendor's private encoding that says it is Implicit VR: nobody can parse it as such."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, listener={"port": free_port()})


@pytest.fixture
def listening(bench: Bench) -> Iterator[Bench]:
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    yield bench
    listener.stop()


def port_of(bench: Bench) -> int:
    return bench.settings.listener.port


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} (Debian: dcmtk) is not installed")
    return found


def test_storescu_sends_a_series(listening: Bench, tmp_path: Path) -> None:
    files_ = write_series(tmp_path / "ct", "a", range(5))
    titles = ["-aet", "SCANNER", "-aec", "OARFLOW"]
    place = ["127.0.0.1", str(port_of(listening))]
    sent = subprocess.run([needs("storescu"), *titles, *place, *map(str, files_)], check=False)
    assert sent.returncode == 0
    stored = listening.instances()
    assert [one.sop_instance_uid for one in stored] == [uid("a", k) for k in range(5)]
    for one, file in zip(stored, files_, strict=True):
        kept = dcmread(listening.settings.storage.root / one.path)
        assert kept == dcmread(file)
        assert kept.file_meta.SourceApplicationEntityTitle == "SCANNER"


def test_echoscu_is_answered(listening: Bench) -> None:
    program = [needs("echoscu"), "127.0.0.1", str(port_of(listening))]
    assert subprocess.run([*program, "-aec", "OARFLOW"], check=False).returncode == 0
    assert subprocess.run([*program, "-aec", "OTHER"], check=False).returncode != 0


def test_every_transfer_syntax_is_kept_as_it_came(
    listening: Bench, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NEMA's WG-04 pictures: what is on disk is the same data set, byte by byte."""
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    sent = [one for one in sorted((shared_data / "wg04").glob("*.dcm")) if "OT_" not in one.name]
    for number, file in enumerate(sent):  # several are the same picture: a sender for each
        status = 0xC000 if file.name == UNREADABLE else 0
        assert send_files(port_of(listening), [file], calling=f"SENDER{number}") == [status]
    sent.remove(shared_data / "wg04" / UNREADABLE)
    kept = listening.instances()
    assert len({one.transfer_syntax_uid for one in kept}) >= 10
    for one, file in zip(kept, sent, strict=True):
        assert split(listening.settings.storage.root / one.path)[1:] == split(file)[1:]


def test_no_name_on_disk_or_in_the_log_is_of_the_patient(
    listening: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, *rest = write_series(tmp_path / "ct", "a", range(2))
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(rest[0].read_bytes()[:-9])
    send_files(port_of(listening), [good])
    with pytest.raises(NotStored):
        listening.receiver.receive(SENDER, encoded(ct_slice("a", 1))[:-9], SYNTAX, CT, uid("a", 1))
    names = [str(path) for path in listening.settings.storage.root.rglob("*")]
    for word in ("Secret", "ID-a", "A-a", "19600101", uid("a"), uid("a", 0)):
        assert not any(word in name for name in names)
        assert word not in caplog.text


@pytest.mark.parametrize(
    ("calling", "called", "answered"),
    [
        ("SCANNER", "OARFLOW", b"\2"),
        ("OTHER", "OARFLOW", rejected(1, 1, 3)),
        ("SCANNER", "OTHER", rejected(1, 1, 7)),
    ],
)
def test_a_wrong_ae_title_is_rejected(
    tmp_path: Path, calling: str, called: str, answered: bytes
) -> None:
    bench = Bench(tmp_path, listener={"port": free_port(), "allow": [{"ae_title": "SCANNER"}]})
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    try:
        assert answer(listener.port, called, calling).startswith(answered)
    finally:
        listener.stop()


def test_an_address_that_is_not_on_the_list_is_not_even_read(tmp_path: Path) -> None:
    allow = [{"addresses": ["192.0.2.7"]}]
    bench = Bench(tmp_path, listener={"port": free_port(), "allow": allow})
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    try:
        with socket.create_connection(("127.0.0.1", listener.port), 5) as peer:
            peer.settimeout(10)
            assert peer.recv(1) == b""
    finally:
        listener.stop()


def test_by_default_nobody_but_this_machine_may_call() -> None:
    settings = ListenerSettings()
    admission = Admission(settings.allow)
    assert admission.admits("ANY", "127.0.0.1")
    assert admission.admits("ANY", "::ffff:127.0.0.1")
    assert not admission.admits("ANY", "10.0.0.1")
    assert not admission.address_known("10.0.0.1")
    assert settings.host == "127.0.0.1"


def test_a_port_in_use_is_named(listening: Bench) -> None:
    second = Listener(listening.settings.listener, listening.receiver)
    with pytest.raises(
        ConfigurationError, match=f"cannot listen on 127.0.0.1:{port_of(listening)}"
    ):
        second.start()


def test_a_pdu_without_end_does_not_fill_the_memory(listening: Bench) -> None:
    with socket.create_connection(("127.0.0.1", port_of(listening)), 5) as peer:
        peer.settimeout(20)
        peer.sendall(struct.pack(">BBL", 4, 0, 0xFFFFFFF0) + b"\0" * 1000)
    assert wait_for(lambda: send_echo(listening) == 0, what="an answer to others")


def send_echo(bench: Bench) -> int:
    entity = AE(ae_title="SCANNER")
    entity.add_requested_context(Verification)
    association = associate(entity, "127.0.0.1", port_of(bench), ae_title="OARFLOW")
    if not association.is_established:
        return -1
    status = int(association.send_c_echo().Status)
    association.release()
    return status


def test_an_instance_beyond_the_limit_ends_its_association(tmp_path: Path) -> None:
    bench = Bench(tmp_path, listener={"port": free_port(), "max_instance_mb": 1})
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    try:
        large = ct_slice("a", 0, Rows=1024, Columns=1024, PixelData=bytes(3 << 20))
        file = tmp_path / "large.dcm"
        file.write_bytes(as_file(large))
        assert send_files(listener.port, [file]) == [-1]
        assert bench.instances() == []
    finally:
        listener.stop()


def test_more_associations_than_allowed_are_told_to_come_later(tmp_path: Path) -> None:
    bench = Bench(tmp_path, listener={"port": free_port(), "max_associations": 1})
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    try:
        entity = AE(ae_title="SCANNER")
        entity.add_requested_context(Verification)
        first = associate(entity, "127.0.0.1", listener.port, ae_title="OARFLOW")
        second = associate(entity, "127.0.0.1", listener.port, ae_title="OARFLOW")
        assert (first.is_established, second.is_established) == (True, False)
        first.release()
    finally:
        listener.stop()


MALFORMED = {
    "empty": b"",
    "noise": bytes(range(256)) * 20,
    "cut in the pixels": encoded(ct_slice("a", 0))[:-10],
    "cut in the header": encoded(ct_slice("a", 0))[:200],
    "no pixels": encoded(ct_slice("a", 0))[: -(12 + 512)],
    "no study": encoded(ct_slice("a", 0, StudyInstanceUID="")),
    "a study that is no UID": encoded(ct_slice("a", 0, StudyInstanceUID="../../etc")),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_data_set_is_refused_with_a_status(bench: Bench, data: bytes) -> None:
    with pytest.raises(NotStored) as refusal:
        bench.receiver.receive(SENDER, data, SYNTAX, CT, uid("a", 0))
    assert refusal.value.status is StoreStatus.CANNOT_UNDERSTAND
    assert bench.instances() == []
    assert bench.receiver.spool.stored() == []


def test_a_truncated_instance_is_refused_over_the_network(
    listening: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)  # sent as it is, not mended
    good, other = write_series(tmp_path / "ct", "a", range(2))
    other.write_bytes(other.read_bytes()[:-10])
    assert send_files(port_of(listening), [other, good]) == [0xC000, 0]
    assert [one.sop_instance_uid for one in listening.instances()] == [uid("a", 0)]


def test_encapsulated_pixels_that_do_not_end_are_refused() -> None:
    raw = encoded(ct_slice("a", 0))[: -(12 + 512)]
    start = raw + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\0\0\0\0"
    item = b"\xfe\xff\x00\xe0\x04\0\0\0abcd"
    end = b"\xfe\xff\xdd\xe0\0\0\0\0"
    rle = "1.2.840.10008.1.2.5"
    assert inspect(start + item + end, rle, LIMIT).header.sop_instance_uid == uid("a", 0)
    for cut in (start, start + item, start + item[:-1], start + b"\xfe\xff\x00\xe0\xff\0\0\0"):
        with pytest.raises(NotStored):
            inspect(cut, rle, LIMIT)


def deflated(raw: bytes) -> bytes:
    machine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return machine.compress(raw) + machine.flush()


def test_a_deflated_bomb_is_refused_before_it_grows() -> None:
    whole = encoded(ct_slice("a", 0, Rows=2896, Columns=2896, PixelData=bytes(16 << 20)))
    bomb = deflated(whole)
    assert len(bomb) < 1 << 18
    with pytest.raises(NotStored, match="beyond the limit"):
        inspect(bomb, str(DeflatedExplicitVRLittleEndian), LIMIT)
    small = deflated(encoded(ct_slice("a", 0)))
    assert inspect(small, str(DeflatedExplicitVRLittleEndian), LIMIT)
    with pytest.raises(NotStored, match="cut short"):
        inspect(small[:-4], str(DeflatedExplicitVRLittleEndian), LIMIT)


def test_a_request_for_another_instance_is_refused(bench: Bench) -> None:
    with pytest.raises(NotStored) as refusal:
        bench.receiver.receive(SENDER, encoded(ct_slice("a", 0)), SYNTAX, CT, uid("a", 1))
    assert refusal.value.status is StoreStatus.DOES_NOT_MATCH


def test_without_room_everything_is_refused_as_out_of_resources(
    listening: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is nearly full: A700 while the node itself can still work; then it goes on."""
    room = [0]
    monkeypatch.setattr(spool_module, "free_bytes", lambda _: room[0])
    (file,) = write_series(tmp_path / "ct", "a", range(1))
    assert send_files(port_of(listening), [file]) == [0xA700]
    assert listening.instances() == []
    assert listening.receiver.spool.stored() == []
    room[0] = 1 << 30
    assert send_files(port_of(listening), [file]) == [0]


@pytest.mark.parametrize("step", ["_write_all", "sync_folder"])
def test_a_disk_that_fills_in_the_middle_of_a_file_leaves_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(files, step, full)
        with pytest.raises(NotStored) as refusal:
            bench.send(ct_slice("a", 0))
    assert refusal.value.status is StoreStatus.OUT_OF_RESOURCES
    assert bench.instances() == []
    assert not list(bench.receiver.spool.folder.rglob(f"{files.TEMPORARY}*"))
    assert bench.send(ct_slice("a", 0)) is Standing.NEW


def test_a_locked_database_is_out_of_resources_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, database={"busy_seconds": 0.2})
    with bench.database.write(), pytest.raises(NotStored) as refusal:
        bench.send(ct_slice("a", 0))
    assert refusal.value.status is StoreStatus.OUT_OF_RESOURCES
    assert bench.send(ct_slice("a", 0)) is Standing.NEW
    assert len(bench.instances()) == 1


def test_a_database_that_fails_at_the_commit_is_not_success(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OperationalError("insert", {}, Exception("disk I/O error"))

    with monkeypatch.context() as patch:
        patch.setattr(receiving, "journal", fails)
        with pytest.raises(NotStored):
            bench.send(ct_slice("a", 0))
    assert bench.instances() == []
    assert bench.send(ct_slice("a", 0)) is Standing.NEW


def test_a_restart_between_rename_and_journal_journals_what_is_on_disk(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has its name, the row is not there: the next start writes it, sender included."""

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bench.receiver, "_journal", power_cut)
        with pytest.raises(KeyboardInterrupt):
            bench.send(ct_slice("a", 0))
    (path,) = bench.receiver.spool.stored()
    half = path.parent / f"{files.TEMPORARY}half"
    half.write_bytes(b"half an instance")
    assert bench.instances() == []
    assert bench.receiver.recover() == 1
    (row,) = bench.instances()
    assert bench.settings.storage.root / row.path == path
    assert not half.exists()
    with bench.database.read() as session:
        study = session.get_one(type(row), row.id).series.study
        assert (study.calling_ae, study.patient_id) == ("SCANNER", "ID-a")
    assert bench.receiver.recover() == 0
    assert bench.send(ct_slice("a", 0)) is Standing.IDENTICAL


def test_a_damaged_file_in_the_spool_is_set_aside(bench: Bench) -> None:
    bench.send(ct_slice("a", 0))
    folder = bench.receiver.spool.stored()[0].parent
    (folder / "stray.dcm").write_bytes(b"no instance")
    assert bench.receiver.recover() == 1
    assert (folder / "stray.damaged").exists()
    assert len(bench.instances()) == 1


def test_another_sender_s_study_is_kept_apart(bench: Bench) -> None:
    bench.send(ct_slice("a", 0))
    assert bench.send(ct_slice("a", 0), Origin("OTHER")) is Standing.NEW
    assert len({one.path for one in bench.instances()}) == 2
    assert len(bench.jobs()) == 2


def test_the_same_instance_encoded_otherwise_is_the_same(bench: Bench) -> None:
    bench.send(ct_slice("a", 0))
    implicit = "1.2.840.10008.1.2"
    data = encoded(ct_slice("a", 0), implicit)
    assert bench.receiver.receive(SENDER, data, implicit, CT, uid("a", 0)) is Standing.IDENTICAL


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a node's certificate and a client's, each as NAME.pem and NAME.key."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = ec.generate_private_key(ec.SECP256R1())
    issue(folder, "ca", authority, authority)
    for name in ("node", "client"):
        issue(folder, name, ec.generate_private_key(ec.SECP256R1()), authority)
    return folder


def issue(
    folder: Path, name: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey
) -> None:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named("ca"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(by, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.fixture
def encrypted(tmp_path: Path, certificates: Path) -> Iterator[Bench]:
    tls = {
        "certificate": str(certificates / "node.pem"),
        "key": str(certificates / "node.key"),
        "ca": str(certificates / "ca.pem"),
    }
    bench = Bench(tmp_path, listener={"port": free_port(), "tls": tls})
    listener = Listener(bench.settings.listener, bench.receiver)
    listener.start()
    yield bench
    listener.stop()


def test_storescu_with_a_certificate_is_served(
    encrypted: Bench, certificates: Path, tmp_path: Path
) -> None:
    (file,) = write_series(tmp_path / "ct", "a", range(1))
    own = ["+tls", str(certificates / "client.key"), str(certificates / "client.pem")]
    trust = ["+cf", str(certificates / "ca.pem")]
    called = ["-aec", "OARFLOW", "127.0.0.1", str(port_of(encrypted)), str(file)]
    sent = subprocess.run([needs("storescu"), *own, *trust, *called], check=False)
    assert sent.returncode == 0
    assert len(encrypted.instances()) == 1


def test_tls_without_a_certificate_is_refused(
    encrypted: Bench, certificates: Path, tmp_path: Path
) -> None:
    (file,) = write_series(tmp_path / "ct", "a", range(1))
    trust = ["+tla", "+cf", str(certificates / "ca.pem")]
    called = ["-aec", "OARFLOW", "127.0.0.1", str(port_of(encrypted)), str(file)]
    program = needs("storescu")
    assert subprocess.run([program, *trust, *called], check=False).returncode != 0
    assert subprocess.run([program, *called], check=False).returncode != 0
    assert encrypted.instances() == []


def test_tls_below_1_2_is_refused(encrypted: Bench, certificates: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(certificates / "ca.pem")
    context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", port_of(encrypted)), 5) as plain,
        pytest.raises(OSError, match=r"(?i)ssl|tls|reset|protocol"),
    ):
        context.wrap_socket(plain)


def test_a_peer_that_never_shakes_hands_holds_up_nobody(
    encrypted: Bench, certificates: Path, tmp_path: Path
) -> None:
    with socket.create_connection(("127.0.0.1", port_of(encrypted)), 5):
        test_storescu_with_a_certificate_is_served(encrypted, certificates, tmp_path)


def test_mr_is_taken_and_other_classes_are_not_offered(listening: Bench, tmp_path: Path) -> None:
    entity = AE(ae_title="SCANNER")
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.4", SYNTAX)
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.481.3", SYNTAX)
    entity.add_requested_context(CTImageStorage, SYNTAX)
    association = associate(entity, "127.0.0.1", port_of(listening), ae_title="OARFLOW")
    accepted = {str(context.abstract_syntax) for context in association.accepted_contexts}
    association.release()
    assert accepted == {CT, "1.2.840.10008.5.1.4.1.1.4"}


class Quiet:
    """An executor that has nothing to do."""

    name = "executor"

    def recover(self) -> int:
        return 0

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def trouble(self) -> None:
        return None


def test_the_node_is_not_well_until_it_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is there before; who asks it whether the node is well must not send yet."""
    monkeypatch.setattr(node_module, "other_parts", lambda context: [WebServer(context)])
    bench = Bench(tmp_path, listener={"port": free_port()}, web={"port": free_port()})
    bench.database.close()
    node = Node(bench.settings)
    monkeypatch.setattr(node, "executor", Quiet())
    url = f"http://127.0.0.1:{bench.settings.web.port}/healthz"
    early: list[httpx.Response] = []
    start = node.listener.start

    def late() -> None:
        early.append(httpx.get(url))
        start()

    monkeypatch.setattr(node.listener, "start", late)
    node.open()
    try:
        node.start()
        assert early[0].status_code == 503
        assert early[0].json()["parts"]["listener"] == "not started"
        assert httpx.get(url).status_code == 200
    finally:
        node.close()
