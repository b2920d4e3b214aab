"""Why a DICOM peer cannot be reached: no TCP, no TLS, a rejection, or no answer."""

from __future__ import annotations

import socket
import ssl
from enum import StrEnum

from pynetdicom.association import Association

from oarflow.node.listener.tls import client_context
from oarflow.node.pulling.query import PullFailed
from oarflow.node.settings.fields import Peer

ENDED_SHARE = 0.8
"""A failure within this share of the time limit means that the peer closed the connection."""


class Trouble(StrEnum):
    """Kinds of failures, each with a remedy."""

    NO_TCP = "no TCP connection"
    NO_TLS = "no TLS"
    REJECTED = "rejected"
    SILENT = "silent"
    DECLINED = "declined"


REMEDIES: dict[Trouble, str] = {
    Trouble.NO_TCP: "check host and port, that the peer runs, and firewalls",
    Trouble.NO_TLS: "check ca, certificate and key on both sides, and that this port speaks TLS",
    Trouble.REJECTED: "ask its administrator to add the node's AE title {title} and this machine's "
    "address, and check the peer's AE title in the settings",
    Trouble.SILENT: "check that this port speaks DICOM (without TLS, unless it is set), and ask "
    "its administrator whether it hangs",
    Trouble.DECLINED: "ask its administrator which services the node's AE title {title} may use",
}


class Unreached(PullFailed):
    """A peer that cannot be reached. trouble: the kind of failure."""

    def __init__(self, trouble: Trouble, words: str) -> None:
        self.trouble = trouble
        super().__init__(words)


def probe(peer: Peer, seconds: float) -> None:
    """Connect by TCP and, if set, by TLS, and close.

    Raises Unreached, ConfigurationError (TLS).
    """
    context = None if peer.tls is None else client_context(peer.tls)
    where = f"{peer.host}:{peer.port}"
    try:
        connection = socket.create_connection((peer.host, peer.port), seconds)
    except OSError as error:
        words = f"no TCP connection to {where}: {_why(error, seconds)}"
        raise Unreached(Trouble.NO_TCP, words) from error
    with connection:
        if context is not None:
            _greet(context, connection, peer)


def _greet(context: ssl.SSLContext, connection: socket.socket, peer: Peer) -> None:
    where = f"{peer.host}:{peer.port}"
    try:
        context.wrap_socket(connection, server_hostname=peer.host).close()
    except ssl.SSLCertVerificationError as error:
        words = f"no TLS with {where}: its certificate is not trusted ({error.verify_message})"
        raise Unreached(Trouble.NO_TLS, words) from error
    except OSError as error:
        said = getattr(error, "reason", None) or error.strerror or type(error).__name__
        raise Unreached(Trouble.NO_TLS, f"no TLS with {where}: {said}") from error


def _why(error: OSError, seconds: float) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved ({error.strerror})"
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:.0f} s"
    return error.strerror or type(error).__name__


def why_not(association: Association, peer: Peer, waited: float, seconds: float) -> Unreached:
    """Why an association failed although TCP and TLS work.

    waited: seconds until the failure. seconds: the time limit.
    """
    if association.is_rejected:
        answer = association.acceptor.primitive
        words = getattr(answer, "reason_str", "no reason given")
        said = f"{peer.ae_title} rejects the association: {words}"
        return Unreached(Trouble.REJECTED, said)
    if association.rejected_contexts and not association.accepted_contexts:
        said = f"{peer.ae_title} accepts the association, but none of the requested services"
        return Unreached(Trouble.DECLINED, said)
    return silent(peer, "the association request", waited, seconds)


def silent(peer: Peer, asked: str, waited: float, seconds: float) -> Unreached:
    """The failure of a peer that accepts connections and does not answer."""
    took = f"{peer.host}:{peer.port} accepts the connection"
    if waited < ENDED_SHARE * seconds:
        return Unreached(Trouble.SILENT, f"{took} and closes it without an answer to {asked}")
    return Unreached(
        Trouble.SILENT, f"{took} and gives no answer to {asked} within {seconds:.0f} s"
    )
