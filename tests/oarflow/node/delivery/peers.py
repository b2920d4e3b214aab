"""Real peers on loopback, from Debian's packages, and certificates made for the test."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.oarflow.node.delivery.bench import free_port, until

DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def process(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server, once it listens; ended by its own process."""
    with log.open("wb") as output:
        running = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        until(lambda: listens(port))
        yield running
    finally:
        running.kill()
        running.wait()


@contextmanager
def storescp(folder: Path, *flags: str, port: int | None = None) -> Iterator[int]:
    """dcmtk's storescp: its port. Files land in the folder."""
    program = shutil.which("storescp")
    if program is None:
        pytest.skip("dcmtk's storescp is not installed")
    folder.mkdir(exist_ok=True)
    port = port or free_port()
    command = [program, "-aet", "STORESCP", "-od", str(folder), *flags, str(port)]
    with process(command, port, folder.parent / "storescp.log"):
        yield port


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc. http, dicom: its ports."""

    http: int
    dicom: int

    def get(self, path: str) -> Any:
        return httpx.get(f"http://127.0.0.1:{self.http}{path}", trust_env=False).json()

    def file(self, instance: str) -> bytes:
        url = f"http://127.0.0.1:{self.http}/instances/{instance}/file"
        return httpx.get(url, trust_env=False).content


@contextmanager
def orthanc(folder: Path, **changes: Any) -> Iterator[Orthanc]:
    """An empty Orthanc with its DICOMweb plug-in."""
    program = shutil.which("Orthanc") or shutil.which("orthanc")
    if program is None or not DICOMWEB.exists():
        pytest.skip("Orthanc with its DICOMweb plug-in is not installed")
    folder.mkdir()
    found = Orthanc(free_port(), free_port())
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "HttpPort": found.http,
        "DicomPort": found.dicom,
        "DicomAet": "ORTHANC",
        "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False,
        "Plugins": [str(DICOMWEB)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **changes,
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with process([program, str(folder / "orthanc.json")], found.http, folder / "log.txt"):
        until(lambda: listens(found.dicom))
        yield found


class _Forwarding(http.server.BaseHTTPRequestHandler):
    target: str

    def do_POST(self) -> None:
        passed = ("Authorization", "Content-Type", "Accept")
        answer = httpx.post(
            self.target + self.path,
            content=self.rfile.read(int(self.headers["Content-Length"])),
            headers={name: self.headers[name] for name in passed if name in self.headers},
            trust_env=False,
        )
        self.send_response(answer.status_code)
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def https_before(port: int, made: Certificates, name: str) -> Iterator[int]:
    """A proxy that speaks TLS to the world and HTTP to a port: its own port."""
    handler = type("Forwarding", (_Forwarding,), {"target": f"http://127.0.0.1:{port}"})
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate(name), made.key(name))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Certificates:
    """PEM files: who signs, and a certificate with its key for each name."""

    ca: Path
    folder: Path

    def certificate(self, name: str) -> Path:
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"


def make_certificates(folder: Path, *names: str) -> Certificates:
    """A certificate authority, and certificates for 127.0.0.1 and localhost."""
    folder.mkdir()
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _sign("Test CA", None, authority_key, authority_key)
    (folder / "ca.crt").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    for name in names:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _sign(name, authority, key, authority_key)
        (folder / f"{name}.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return Certificates(folder / "ca.crt", folder)


def _sign(
    name: str,
    authority: x509.Certificate | None,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    moment = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject if authority else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - datetime.timedelta(hours=1))
        .not_valid_after(moment + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
    )
    if authority is not None:
        hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    return builder.sign(signer, hashes.SHA256())


class _Bell(http.server.BaseHTTPRequestHandler):
    heard: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append(json.loads(body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def bell() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook: its address, and what it heard."""
    handler = type("Bell", (_Bell,), {"heard": []})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/alarm", handler.heard
    finally:
        server.shutdown()
        server.server_close()
