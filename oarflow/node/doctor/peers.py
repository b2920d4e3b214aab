"""Checks of other systems: PACS, destinations, webhook and mail server.

All systems of a kind are asked at the same time, each for at most PEER_SECONDS.
"""

from __future__ import annotations

import os
import smtplib
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import urlsplit

import httpx

from oarflow.errors import ConfigurationError
from oarflow.node.delivery.alarm_channels import log_in
from oarflow.node.delivery.stow import StowTransport
from oarflow.node.doctor.concurrently import run_concurrently
from oarflow.node.doctor.ports import certificates
from oarflow.node.doctor.results import CheckResult, CheckStatus, bad, good
from oarflow.node.listener.tls import client_context
from oarflow.node.pulling.dimse import echo
from oarflow.node.pulling.query import PullFailed
from oarflow.node.pulling.reach import REMEDIES, Unreached
from oarflow.node.pulling.web import WebPacs
from oarflow.node.settings import NodeSettings, PullSource
from oarflow.node.settings.delivery import (
    DicomDestination,
    DicomWebDestination,
    FolderDestination,
    Mail,
)
from oarflow.node.settings.fields import Peer

PEER_SECONDS = 5.0
GRACE_SECONDS = 0.5
"""Added to the limit (s), so that a check's own time-out, with a better message, comes first."""

PeerCheck = Callable[[], CheckResult]


def peers(settings: NodeSettings) -> Iterator[CheckResult]:
    """Every PACS and destination answers."""
    yield from _own_side(settings)
    asked: dict[str, PeerCheck] = {}
    for name, source in settings.pull.items():
        asked[f"pull {name}"] = _of_source(f"pull {name}", name, source, settings)
    title = settings.delivery.ae_title or settings.listener.ae_title
    for name, destination in settings.delivery.destinations.items():
        subject = f"destination {name}"
        if isinstance(destination, DicomDestination):
            asked[subject] = partial(_peer, subject, title, _peer_of(destination))
        elif isinstance(destination, DicomWebDestination):
            asked[subject] = partial(_service, subject, destination)
        else:
            asked[subject] = partial(_folder, subject, destination)
    yield from _ask(asked)


def _ask(asked: dict[str, PeerCheck]) -> list[CheckResult]:
    subjects = list(asked)

    def late(index: int) -> CheckResult:
        return bad(
            subjects[index],
            f"no answer within {PEER_SECONDS:.0f} s",
            "check its address, the name service and firewalls",
        )

    looks = [partial(_guarded, subject, look) for subject, look in asked.items()]
    return run_concurrently(looks, PEER_SECONDS + GRACE_SECONDS, late)


def _guarded(subject: str, look: PeerCheck) -> CheckResult:
    try:
        return look()
    except Exception as error:  # the other peers' findings still help
        return bad(subject, f"this check failed ({type(error).__name__})", "")


def _own_side(settings: NodeSettings) -> Iterator[CheckResult]:
    """Certificates of the node for each destination."""
    for name, destination in settings.delivery.destinations.items():
        if isinstance(destination, DicomDestination) and destination.tls is not None:
            load = partial(client_context, destination.tls)
            yield from certificates(f"destination {name}", destination.tls.certificate, load)


def _peer_of(destination: DicomDestination) -> Peer:
    return Peer(
        ae_title=destination.ae_title,
        host=destination.host,
        port=destination.port,
        tls=destination.tls,
    )


def _of_source(subject: str, name: str, source: PullSource, settings: NodeSettings) -> PeerCheck:
    title = settings.listener.ae_title
    if source.peer is not None:
        return partial(_peer, subject, title, source.peer)

    def look() -> CheckResult:
        assert source.dicomweb is not None
        return _web(subject, WebPacs(name, source.dicomweb, title, PEER_SECONDS))

    return look


def _peer(subject: str, title: str, peer: Peer) -> CheckResult:
    try:
        echo(title, peer, PEER_SECONDS)
    except Unreached as error:
        return bad(subject, str(error), REMEDIES[error.trouble].format(title=title))
    except ConfigurationError as error:
        return bad(subject, str(error), "check the files of ca, certificate and key")
    return good(subject, f"{peer.ae_title} answers to C-ECHO")


def _web(subject: str, place: WebPacs) -> CheckResult:
    try:
        place.echo()
    except PullFailed as error:
        return bad(subject, str(error), "check url, ca, certificate and token")
    return good(subject, "the DICOMweb service answers")


def _folder(subject: str, destination: FolderDestination) -> CheckResult:
    """The folder is writable. A share whose server is gone may block, so this runs like a peer."""
    folder = destination.path
    if not folder.is_dir():
        remedy = "make it or mount it, before the node starts; the node does not make it"
        return bad(subject, f"the folder {folder} does not exist", remedy)
    if not os.access(folder, os.W_OK):
        return bad(subject, f"{folder} is not writable", "give the node's user the right to write")
    return good(subject, f"{folder} is writable")


def _service(subject: str, destination: DicomWebDestination) -> CheckResult:
    hurried = destination.model_copy(update={"timeout_seconds": PEER_SECONDS})
    try:
        status = StowTransport(hurried).ask()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        kind = type(error).__name__
        return bad(subject, f"the service does not answer ({kind})", "check url, ca and firewalls")
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        return bad(
            subject,
            f"a file with a certificate or secret cannot be read: {said}",
            "check the files of ca, certificate, key, token and password, and their rights",
        )
    if status in (401, 403):
        return bad(subject, f"the service refuses the sign-in ({status})", "check token, or user")
    if status >= 500 and status != 501:
        return bad(subject, f"the service answers {status}", "ask its administrator")
    if status >= 300:
        text = f"the service answers {status} to a search; it may store objects nevertheless"
        return CheckResult(
            subject, CheckStatus.DOUBTFUL, text, "check that url is the part before `/studies`"
        )
    return good(subject, "the DICOMweb service answers")


def alarm(settings: NodeSettings) -> Iterator[CheckResult]:
    """Webhook and mail server answer. No alarm is sent."""
    own = settings.delivery.alarm
    looks: list[PeerCheck] = []
    if own.webhook is not None:
        looks.append(partial(_webhook, own.webhook))
    if own.mail is not None:
        looks.append(partial(_mail, own.mail))

    def late(_: int) -> CheckResult:
        text = f"the webhook or the mail server gives no answer within {PEER_SECONDS:.0f} s"
        return bad("alarm", text, "check their addresses and firewalls")

    guarded = [partial(_guarded, "alarm", look) for look in looks]
    yield from run_concurrently(guarded, PEER_SECONDS + GRACE_SECONDS, late)
    if not looks and settings.delivery.destinations:
        yield CheckResult(
            "alarm",
            CheckStatus.DOUBTFUL,
            "no webhook or mail: alarms are in the log only",
            "set delivery.alarm.webhook or delivery.alarm.mail",
        )


def _webhook(url: str) -> CheckResult:
    """The webhook answers to HEAD; a POST would raise an alarm."""
    where = urlsplit(url).hostname
    try:
        answer = httpx.head(url, timeout=PEER_SECONDS, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        kind = type(error).__name__
        return bad(
            "alarm", f"the webhook at {where} does not answer ({kind})", "check its URL and TLS"
        )
    if answer.status_code in (401, 403, 404, 410) or answer.status_code >= 500:
        text = f"the webhook at {where} answers {answer.status_code} to HEAD"
        return CheckResult("alarm", CheckStatus.DOUBTFUL, text, "check that it accepts a POST")
    return good("alarm", f"the webhook at {where} answers")


def _mail(mail: Mail) -> CheckResult:
    where = f"{mail.host}:{mail.port}"
    try:
        with log_in(mail, PEER_SECONDS) as server:
            server.noop()
    except (OSError, smtplib.SMTPException) as error:
        said = error.strerror if isinstance(error, OSError) else None
        return bad(
            "alarm",
            f"the mail server at {where}: {said or type(error).__name__}",
            "check host, port, encryption, user and password under delivery.alarm.mail",
        )
    return good("alarm", f"the mail server at {where} accepts the node")
