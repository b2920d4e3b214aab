"""Delivery by DICOMweb STOW-RS (PS3.18 10.5)."""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from oarflow.node.delivery.outgoing import OutgoingFile, SendResult, SendVerdict
from oarflow.node.delivery.statuses import Meaning, of_failure, of_warning
from oarflow.node.settings.delivery import DicomWebDestination

REFERENCED, FAILED = "00081199", "00081198"
"""Sequences of the response: stored objects, and failed objects."""
SOP_INSTANCE, FAILURE_REASON, WARNING_REASON = "00081155", "00081197", "00081196"
MAX_ANSWER = 1 << 20
"""The most bytes of a response that are read."""
LASTING = {400, 401, 403, 404, 405, 406, 413, 415, 422}
"""HTTP statuses whose cause a person must remove."""


class StowTransport:
    """One request for all objects of a job."""

    asked, not_asked = False, ""

    def __init__(self, destination: DicomWebDestination) -> None:
        self._to = destination

    def send(self, items: tuple[OutgoingFile, ...]) -> Iterator[SendResult]:
        """Store all objects; the response lists those that were stored."""
        boundary = secrets.token_hex(16)
        try:
            with (
                self._client() as client,
                client.stream(
                    "POST",
                    f"{self._to.url.rstrip('/')}/studies",
                    content=_body(items, boundary),
                    headers=self._headers(boundary, _length(items, boundary)),
                ) as response,
            ):
                status, answer = response.status_code, _read(response)
        except (httpx.TimeoutException, httpx.TransportError) as error:
            yield from _all(items, SendVerdict.UNREACHABLE, _words(error))
        except (OSError, ssl.SSLError):
            yield from _all(
                items, SendVerdict.REFUSED, "a file with a certificate or secret cannot be read"
            )
        else:
            yield from judge(items, status, answer)

    def ask(self) -> int:
        """The HTTP status of a search for one study. Raises httpx's errors, OSError, SSLError."""
        url = f"{self._to.url.rstrip('/')}/studies?limit=1"
        headers = {"Accept": "application/dicom+json", **self._authorization()}
        with self._client() as client, client.stream("GET", url, headers=headers) as response:
            return response.status_code

    def _client(self) -> httpx.Client:
        return httpx.Client(
            verify=self._tls(),
            timeout=self._to.timeout_seconds,
            follow_redirects=False,
            trust_env=False,
        )

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._to.ca) if self._to.ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._to.certificate is not None:
            context.load_cert_chain(self._to.certificate, self._to.key)
        return context

    def _headers(self, boundary: str, length: int) -> dict[str, str]:
        headers = {
            # With a known length the body is not chunked; some proxies refuse chunks.
            "Content-Length": str(length),
            "Accept": "application/dicom+json",
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        }
        return headers | self._authorization()

    def _authorization(self) -> dict[str, str]:
        value = self._to.authorization()
        return {} if value is None else {"Authorization": value}


def _before(boundary: str) -> bytes:
    return f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")


def _after(boundary: str) -> bytes:
    return f"--{boundary}--\r\n".encode("ascii")


def _length(items: tuple[OutgoingFile, ...], boundary: str) -> int:
    sizes = (len(_before(boundary)) + p.path.stat().st_size + len(b"\r\n") for p in items)
    return sum(sizes) + len(_after(boundary))


def _body(items: tuple[OutgoingFile, ...], boundary: str) -> Iterator[bytes]:
    for item in items:
        yield _before(boundary)
        with item.path.open("rb") as file:
            while block := file.read(1 << 20):
                yield block
        yield b"\r\n"
    yield _after(boundary)


def _read(response: httpx.Response) -> Any:
    content = b""
    for block in response.iter_bytes():
        content += block
        if len(content) > MAX_ANSWER:
            return None
    try:
        return json.loads(content)
    except ValueError:
        return None


def judge(items: tuple[OutgoingFile, ...], status: int, answer: Any) -> Iterator[SendResult]:
    """The outcome of each object. An object that the response does not name is not stored."""
    words = f"HTTP status {status}"
    if status >= 500 or status in (408, 429):
        yield from _all(items, SendVerdict.UNREACHABLE, f"the service cannot store now ({words})")
        return
    if status in LASTING or not (200 <= status < 300 or status == 409):
        yield from _all(items, SendVerdict.REFUSED, f"the service refuses the request ({words})")
        return
    stored = _uids(answer, REFERENCED, WARNING_REASON)
    failed = _uids(answer, FAILED, FAILURE_REASON)
    for item in items:
        uid = str(item.sop_instance_uid)
        if uid in failed:
            meaning = of_failure(failed[uid])
        elif uid in stored:
            meaning = of_warning(stored[uid])
        else:
            reason = "the service's answer does not list the object"
            meaning = Meaning(SendVerdict.UNREACHABLE, reason)
        yield SendResult(item.key, meaning.verdict, f"{meaning.words}, {words}", meaning.warned)


def _uids(answer: Any, sequence: str, reason: str) -> dict[str, int | None]:
    """SOP Instance UIDs of a sequence with their reasons, from untrusted DICOM JSON."""
    found: dict[str, int | None] = {}
    if not isinstance(answer, Mapping):
        return found
    part = answer.get(sequence)
    items = part.get("Value") if isinstance(part, Mapping) else None
    for item in items if isinstance(items, list) else ():
        if isinstance(item, Mapping):
            uid, code = _first(item, SOP_INSTANCE), _first(item, reason)
            if isinstance(uid, str):
                found[uid] = _code(code)
    return found


def _code(value: Any) -> int | None:
    """A reason as a number; some services write it as text."""
    try:
        code = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return code if 0 <= code <= 0xFFFF else None


def _first(item: Mapping[str, Any], tag: str) -> Any:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, Mapping) else None
    return values[0] if isinstance(values, list) and values else None


def _all(
    items: tuple[OutgoingFile, ...], verdict: SendVerdict, reason: str
) -> Iterator[SendResult]:
    return (SendResult(item.key, verdict, reason) for item in items)


def _words(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "the service does not answer in time"
    if isinstance(error, httpx.ConnectError):
        return "the service cannot be reached, or its certificate is not trusted"
    return "the connection to the service was lost"
