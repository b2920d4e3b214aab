"""Ed25519 signatures of commissioning records, with keys in PEM files."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from oarflow.commissioning.record import NetworkRecord, RecordError


@dataclass(frozen=True)
class PublicKey:
    """The key with which a site checks its records."""

    key: Ed25519PublicKey

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """A public key. Raises OSError, ValueError."""
        try:
            found = load_pem_public_key(path.read_bytes())
        except ValueError:
            raise ValueError("no public key in PEM form") from None
        if not isinstance(found, Ed25519PublicKey):
            raise ValueError("no Ed25519 key")
        return cls(found)

    def check(self, record: NetworkRecord) -> None:
        """Raises RecordError where the record is not signed with this key's private half."""
        if not record.signature:
            raise RecordError("it is not signed")
        try:
            self.key.verify(base64.b64decode(record.signature, validate=True), _content(record))
        except (InvalidSignature, binascii.Error):
            raise RecordError("its signature does not fit the site's key") from None


@dataclass(frozen=True)
class SigningKey:
    """The private key with which a person signs records."""

    key: Ed25519PrivateKey

    @classmethod
    def read(cls, path: Path) -> SigningKey:
        """A private key without a password. Raises OSError, ValueError."""
        try:
            found = load_pem_private_key(path.read_bytes(), None)
        except (TypeError, ValueError):
            raise ValueError("no private key in PEM form without a password") from None
        if not isinstance(found, Ed25519PrivateKey):
            raise ValueError("no Ed25519 key")
        return cls(found)

    def signed(self, record: NetworkRecord) -> NetworkRecord:
        """The sealed record with its signature."""
        made = base64.b64encode(self.key.sign(_content(record))).decode()
        return record.model_copy(update={"signature": made})


def _content(record: NetworkRecord) -> bytes:
    return bytes.fromhex(record.digest)
