"""TLS by BCP 195 (PS3.15, B.9 to B.11): version 1.2 or later, with forward secrecy."""

from __future__ import annotations

import ssl

from oarflow.errors import ConfigurationError
from oarflow.node.settings.fields import ClientTls, ServerTls

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Cipher suites for TLS 1.2; those of TLS 1.3 need no choice."""


def server_context(settings: ServerTls) -> ssl.SSLContext:
    """TLS for a port of the node. Raises ConfigurationError (TLS)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _profile(context)
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        if settings.client_certificates == "required":
            if settings.ca is None:
                raise ConfigurationError("TLS", "client_certificates: required needs tls.ca")
            context.load_verify_locations(settings.ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError("TLS", f"certificate, key or ca: {error}") from error
    return context


def client_context(settings: ClientTls) -> ssl.SSLContext:
    """TLS for a connection to a peer. Raises ConfigurationError (TLS)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _profile(context)
    context.check_hostname = settings.check_hostname
    try:
        context.load_verify_locations(settings.ca)
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError("TLS", f"certificate, key or ca: {error}") from error
    return context


def _profile(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
