"""Checks of the DICOM port, the web page and their certificates."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
from cryptography import x509
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from oarflow.errors import ConfigurationError
from oarflow.node.database import Database
from oarflow.node.database.models import User
from oarflow.node.doctor.results import CheckResult, CheckStatus, bad, good
from oarflow.node.listener.tls import server_context
from oarflow.node.pulling.dimse import echo
from oarflow.node.pulling.query import PullFailed
from oarflow.node.settings import NodeSettings
from oarflow.node.settings.fields import Peer

EXPIRES_SOON = timedelta(days=30)


def listener(settings: NodeSettings) -> Iterator[CheckResult]:
    """The DICOM port is free or the node's own; the list of callers is not too wide."""
    own = settings.listener
    family = socket.AF_INET6 if ":" in own.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((own.host, own.port))
            yield good("listener", f"{own.host}:{own.port} is free")
        except OSError as error:
            yield _taken(settings, error)
    wide = [
        network
        for caller in own.allow
        for network in caller.addresses
        if ipaddress.ip_network(network).prefixlen < 16
        and not ipaddress.ip_network(network).is_loopback
    ]
    if wide and own.tls is None:
        yield CheckResult(
            "listener",
            CheckStatus.DOUBTFUL,
            f"large networks may call without TLS ({', '.join(wide)})",
            "list the senders' own addresses in listener.allow",
        )
    if own.tls is not None:
        load = partial(server_context, own.tls)
        yield from certificates("listener", own.tls.certificate, load)


def _taken(settings: NodeSettings, error: OSError) -> CheckResult:
    own = settings.listener
    host = "127.0.0.1" if own.host in ("0.0.0.0", "::") else own.host
    try:
        if own.tls is None:
            echo(own.ae_title, Peer(ae_title=own.ae_title, host=host, port=own.port))
            return good("listener", f"the node answers on {own.host}:{own.port}")
    except (PullFailed, ConfigurationError):
        pass
    return not_had("listener", own.host, own.port, error)


def not_had(section: str, host: str, port: int, error: OSError) -> CheckResult:
    """A finding for a port on which the node cannot listen."""
    remedies = {
        errno.EADDRINUSE: "stop the program that uses the port (see ss -ltnp), or choose another "
        f"{section}.port",
        errno.EADDRNOTAVAIL: f"set {section}.host to an address of this machine (see ip address), "
        "or to 0.0.0.0 for all",
        errno.EACCES: f"give the node the right to ports below 1024 (CAP_NET_BIND_SERVICE), or "
        f"choose a higher {section}.port",
    }
    named = f"correct {section}.host: the name cannot be resolved"
    resolved = isinstance(error, socket.gaierror)
    remedy = named if resolved else remedies.get(error.errno or 0, f"correct {section}.host")
    return bad(section, f"cannot listen on {host}:{port}: {error.strerror}", remedy)


def web(settings: NodeSettings) -> Iterator[CheckResult]:
    """The page's port is free or the page answers; its certificate; at least one user."""
    own = settings.web
    if not own.enabled:
        return
    try:
        family = socket.AF_INET6 if ":" in own.host else socket.AF_INET
        socket.create_server((own.host, own.port), family=family).close()
        yield good("web", f"{own.host}:{own.port} is free")
    except OSError as error:
        yield _page(settings) or not_had("web", own.host, own.port, error)
    if own.tls is not None:
        load = partial(server_context, own.tls)
        yield from certificates("web", own.tls.certificate, load)
    yield from _users(settings)


def _page(settings: NodeSettings) -> CheckResult | None:
    """A good finding if the node's own page uses the port."""
    own = settings.web
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(own.host, own.host)
    url = f"{'https' if own.tls else 'http'}://{host}:{own.port}/healthz"
    try:
        # Only the name of a part is read here; another check looks at the certificate.
        answer = httpx.get(
            url, headers={"Host": own.hosts[0]}, verify=False, timeout=5, trust_env=False
        )
        parts = answer.json()["parts"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return good("web", f"the page answers on {own.host}:{own.port}") if "web" in parts else None


def _users(settings: NodeSettings) -> Iterator[CheckResult]:
    """At least one user may sign in. The check of the database reports its faults."""
    store = Database(settings.database_url, settings.database.busy_seconds)
    try:
        with store.read() as session:
            count = session.scalar(select(func.count(User.id)).where(User.disabled.is_(False)))
    except SQLAlchemyError:
        count = 0
    finally:
        store.close()
    if count:
        yield good("users", f"{count} may sign in to the page")
    else:
        yield CheckResult(
            "users",
            CheckStatus.DOUBTFUL,
            "no user may sign in to the page",
            "oarflow node user put NAME --role operator",
        )


def certificates(
    subject: str, certificate: Path | None, load: Callable[[], object]
) -> Iterator[CheckResult]:
    try:
        load()
    except ConfigurationError as error:
        yield bad(subject, f"TLS: {error}", "check the files, and that certificate and key match")
        return
    if certificate is None:
        return
    until = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    left = until - datetime.now(UTC)
    if left < timedelta():
        yield bad(subject, f"the certificate expired on {until:%Y-%m-%d}", "renew it")
    elif left < EXPIRES_SOON:
        yield CheckResult(
            subject,
            CheckStatus.DOUBTFUL,
            f"the certificate expires in {left.days} days",
            "renew it",
        )
    else:
        yield good(subject, f"TLS; the certificate is valid until {until:%Y-%m-%d}")
