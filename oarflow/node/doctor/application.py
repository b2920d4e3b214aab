"""What `doctor` looks at beside the node's core: the page, and the application's settings."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from functools import partial

import httpx
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from oarflow.locations import ROOT
from oarflow.node.application import asks_settings
from oarflow.node.checks import Check, Finding, Mark, bad, certificates, good, not_had
from oarflow.node.database import Database
from oarflow.node.database.models import User
from oarflow.node.listener.tls import server_context
from oarflow.node.settings import Settings
from oarflow.yaml_files import parse_yaml, read_yaml

WRITTEN_BY = {
    "SEG": "seg",
    "ENCAPSULATED_PDF": "report_dicom",
    "REPORT_PDF": "report_pdf",
    "REPORT_HTML": "report_html",
}
"""Kinds of objects, and the key of `outputs` in the application's settings that asks for each."""


def web(settings: Settings) -> Iterator[Finding]:
    """The page's port can be had or the page answers; its certificate; somebody may sign in."""
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


def _page(settings: Settings) -> Finding | None:
    """Whether it is our own page that has the port."""
    own = settings.web
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(own.host, own.host)
    url = f"{'https' if own.tls else 'http'}://{host}:{own.port}/healthz"
    try:
        # Nothing but its name is believed: the certificate is looked at by itself.
        answer = httpx.get(
            url, headers={"Host": own.hosts[0]}, verify=False, timeout=5, trust_env=False
        )
        parts = answer.json()["parts"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return good("web", f"the page answers on {own.host}:{own.port}") if "web" in parts else None


def _users(settings: Settings) -> Iterator[Finding]:
    """Says nothing of a database that does not answer, or is not made yet: another check does."""
    store = Database(settings.database_url, settings.database.busy_seconds)
    try:
        with store.read() as session:
            count = session.scalar(select(func.count(User.id)).where(User.disabled.is_(False)))
    except SQLAlchemyError:
        count = 0
    finally:
        store.close()
    if count:
        yield good("users", f"{count} may sign in")
    else:
        yield Finding(
            "users",
            Mark.DOUBTFUL,
            "nobody may sign in to the page",
            "oarflow node user put NAME --role operator",
        )


def outputs(settings: Settings) -> Iterator[Finding]:
    """The application's settings can be read, and ask for what the destinations want."""
    path = settings.execution.config
    if path is not None:
        try:
            document = read_yaml(path)
            if not isinstance(document, dict | None):
                raise ValueError("it holds no keys and values")
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error)
            yield bad("application", f"{path}: {said}", "correct execution.config")
            return
    asking = asks_settings(settings.execution.command, path)
    if asking is not None:
        document = _answered(asking)
        if document is None:
            yield bad(
                "application",
                "it does not take its settings",
                f"run `{' '.join(asking)}` and read what it says",
            )
            return
    elif path is None:
        return
    yield from _lacking(settings, document if isinstance(document, dict) else {})


def _answered(asking: tuple[str, ...]) -> dict[str, object] | None:
    """What the application itself says of its settings; None where it takes them not."""
    try:
        answer = subprocess.run(asking, cwd=ROOT, capture_output=True, timeout=120, check=True)
        document = parse_yaml(answer.stdout.decode("utf-8"))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _lacking(settings: Settings, document: dict[str, object]) -> Iterator[Finding]:
    asked = document.get("outputs")
    asked = asked if isinstance(asked, dict) else {}
    for name, destination in settings.delivery.destinations.items():
        missing = [kind for kind in destination.objects if not asked.get(WRITTEN_BY.get(kind, ""))]
        missing = [kind for kind in missing if kind in WRITTEN_BY]
        if not missing:
            continue
        subject = f"destination {name}"
        text = f"it wants {', '.join(missing)}, which the application is not asked to write"
        keys = ", ".join(f"{WRITTEN_BY[kind]}: true" for kind in missing)
        remedy = f"in execution.config: outputs: {{{keys}}}, or take it from the objects"
        if len(missing) == len(destination.objects):
            yield bad(subject, f"{text}: every study would be a dead letter", remedy)
        else:
            yield Finding(subject, Mark.DOUBTFUL, text, remedy)


CHECKS_BESIDE: tuple[Check, ...] = (outputs, web)
