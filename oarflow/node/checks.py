"""What `doctor` looks at: each check says what is wrong and what to do."""

from __future__ import annotations

import errno
import ipaddress
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

from cryptography import x509
from sqlalchemy.exc import SQLAlchemyError

from oarflow.errors import ConfigurationError
from oarflow.locations import ROOT
from oarflow.node.application import asks_version
from oarflow.node.database import Database, faults
from oarflow.node.execution.engine import Engine, EngineLost
from oarflow.node.execution.workspace import command
from oarflow.node.files import free_bytes, make_folder, write_safely
from oarflow.node.listener.tls import server_context
from oarflow.node.pulling.dimse import echo
from oarflow.node.pulling.query import PullFailed
from oarflow.node.section import Peer
from oarflow.node.settings import Settings
from oarflow.node.storage.receiver import MEGABYTE

EXPIRES_SOON = timedelta(days=30)


class Mark(StrEnum):
    """How a check came out."""

    GOOD = "ok"
    DOUBTFUL = "doubtful"
    BAD = "BAD"


@dataclass(frozen=True)
class Finding:
    """What a check found. remedy: what to do, empty where nothing is to be done."""

    subject: str
    mark: Mark
    text: str
    remedy: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def good(subject: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(subject, Mark.GOOD, text)


def bad(subject: str, text: str, remedy: str) -> Finding:
    """It will not work."""
    return Finding(subject, Mark.BAD, text, remedy)


def storage(settings: Settings) -> Iterator[Finding]:
    """The folder can be written, safely, by us alone, and has room."""
    root = settings.storage.root
    try:
        make_folder(root)
        with tempfile.TemporaryDirectory(dir=root, prefix=".doctor-") as folder:
            write_safely(Path(folder) / "file", b"x")
    except OSError as error:
        yield bad(
            "storage", f"{root}: {error.strerror}", "give the node's user a folder it may write to"
        )
        return
    yield good("storage", f"{root} can be written")
    if root.stat().st_mode & stat.S_IROTH:
        yield Finding(
            "storage", Mark.DOUBTFUL, "others on this machine may read it", f"chmod o= {root}"
        )
    free, least = free_bytes(root) >> 20, settings.storage.min_free_mb
    if free < least:
        yield bad(
            "disk",
            f"{free} MB are free, {least} MB must stay: every instance is answered with A700",
            "make room, or lower storage.min_free_mb knowingly",
        )
    else:
        yield good("disk", f"{free} MB are free, {least} MB must stay")


def database(settings: Settings) -> Iterator[Finding]:
    """It answers, and can be brought to this program's form."""
    store = Database(settings.database_url, settings.database.busy_seconds)
    try:
        store.check()
        yield good("database", f"{store.engine.dialect.name} answers")
    except SQLAlchemyError as error:
        remedy = faults.remedy(faults.kind_of(error), settings.database_url)
        yield bad("database", faults.in_words(error), remedy)
    finally:
        store.close()


def listener(settings: Settings) -> Iterator[Finding]:
    """The port can be had, or our own node has it; who may call."""
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
        yield Finding(
            "listener",
            Mark.DOUBTFUL,
            f"whole networks may call without TLS ({', '.join(wide)})",
            "name the senders' own addresses under listener.allow",
        )
    if own.tls is not None:
        load = partial(server_context, own.tls)
        yield from certificates("listener", own.tls.certificate, load)


def _taken(settings: Settings, error: OSError) -> Finding:
    own = settings.listener
    host = "127.0.0.1" if own.host in ("0.0.0.0", "::") else own.host
    try:
        if own.tls is None:
            echo(own.ae_title, Peer(ae_title=own.ae_title, host=host, port=own.port))
            return good("listener", f"the node answers on {own.host}:{own.port}")
    except (PullFailed, ConfigurationError):
        pass
    return not_had("listener", own.host, own.port, error)


def not_had(section: str, host: str, port: int, error: OSError) -> Finding:
    """A port that cannot be listened at, and what to do about just that."""
    remedies = {
        errno.EADDRINUSE: "end what uses the port (ss -ltnp names it), or choose another under "
        f"{section}.port",
        errno.EADDRNOTAVAIL: f"{section}.host must be an address of this machine (ip address "
        "lists them), or 0.0.0.0 for all",
        errno.EACCES: f"give the node the right to a port below 1024 (CAP_NET_BIND_SERVICE), or "
        f"choose a higher one under {section}.port",
    }
    named = f"correct {section}.host: it is no name or address that is known here"
    resolved = isinstance(error, socket.gaierror)
    remedy = named if resolved else remedies.get(error.errno or 0, f"correct {section}.host")
    return bad(section, f"{host}:{port} cannot be had: {error.strerror}", remedy)


def certificates(
    subject: str, certificate: Path | None, load: Callable[[], object]
) -> Iterator[Finding]:
    try:
        load()
    except ConfigurationError as error:
        yield bad(subject, f"TLS: {error}", "check the files and that certificate and key match")
        return
    if certificate is None:
        return
    until = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    left = until - datetime.now(UTC)
    if left < timedelta():
        yield bad(subject, f"its certificate ended on {until:%Y-%m-%d}", "renew it")
    elif left < EXPIRES_SOON:
        yield Finding(subject, Mark.DOUBTFUL, f"its certificate ends in {left.days} days", "renew")
    else:
        yield good(subject, f"TLS; the certificate holds until {until:%Y-%m-%d}")


def application(settings: Settings) -> Iterator[Finding]:
    """The command exists and names its folders; the models are there; a scheduler answers."""
    execution = settings.execution
    parts = command(execution, Path("in"))
    if shutil.which(parts[0]) is None:
        yield bad("application", f"{parts[0]} is not found", "correct execution.command")
    else:
        yield good("application", f"{Path(parts[0]).name} is found")
    asking = asks_version(execution.command)
    if asking is None:
        yield from _own_command(settings)
    else:
        yield _asked_for_version(asking)
    if not execution.models.is_dir():
        yield bad("models", f"{execution.models} is no folder", "correct execution.models")
    else:
        yield good("models", f"{execution.models.absolute()}")
    if execution.scheduler is not None:
        yield from _scheduler(settings)


def _own_command(settings: Settings) -> Iterator[Finding]:
    """A command of the site's own: nobody knows how to ask it for its version."""
    said = " ".join(settings.execution.command)
    for word in ("{input}", "{output}"):
        if word not in said:
            yield bad("application", f"execution.command does not have {word}", "add it")
    yield Finding(
        "application",
        Mark.DOUBTFUL,
        "its command is the site's own, and is not started here",
        "try it with one study: oarflow node batch DIR -o OUT",
    )


def _asked_for_version(asking: tuple[str, ...]) -> Finding:
    try:
        answer = subprocess.run(asking, cwd=ROOT, capture_output=True, timeout=120, check=True)
        return good("application", answer.stdout.decode(errors="replace").strip())
    except (OSError, subprocess.SubprocessError):
        return bad(
            "application",
            "it does not start",
            f"run `{' '.join(asking)}` by hand and read what it says",
        )


def _scheduler(settings: Settings) -> Iterator[Finding]:
    engine = Engine(settings.execution)
    try:
        engine.open()
        slots = engine.slots()
    except EngineLost as error:
        yield bad("scheduler", str(error), "check execution.scheduler, its port and certificates")
        return
    finally:
        engine.close()
    if slots:
        yield good("scheduler", f"it answers; its workers take {slots} jobs at once")
    else:
        yield bad(
            "scheduler",
            "it answers, but none of its workers has the resources of a job",
            "start workers, with what execution.resources names (--resources)",
        )


def memory(settings: Settings) -> Iterator[Finding]:
    """The jobs that run at once fit into memory."""
    limit = settings.execution.memory_limit_mb
    if limit is None or settings.execution.scheduler is not None:
        return
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEGABYTE
    needs = limit * settings.execution.workers
    if needs > has:
        yield Finding(
            "memory",
            Mark.DOUBTFUL,
            f"{settings.execution.workers} jobs may use {needs} MB, the machine has {has} MB",
            "lower execution.workers or execution.memory_limit_mb",
        )
    else:
        yield good("memory", f"{needs} of {has} MB may be used by jobs")


CHECKS: tuple[Check, ...] = (storage, database, listener, application, memory)
