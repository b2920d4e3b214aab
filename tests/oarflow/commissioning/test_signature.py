"""Signatures: with a site's key, a record that anybody else made is not believed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from oarflow.commissioning.record import NetworkRecord
from oarflow.commissioning.signature import PublicKey, SigningKey
from oarflow.commissioning.site import SiteRecords, record_path
from oarflow.structures import ModelIdentity
from tests.oarflow.commissioning.made_up_records import record_of, standing, write_keys

OWN = ModelIdentity("clinic/parotid", "1", "ab" * 32, card_sha256="cd" * 32)


def words(folder: Path, record: NetworkRecord, public: Path) -> str:
    record_path(folder, OWN.sha256).write_text(record.as_json())
    return standing(SiteRecords.open(folder, public), OWN).words


def test_only_the_owner_of_the_key_makes_valid_records(tmp_path: Path) -> None:
    private, public = write_keys(tmp_path, "site")
    stranger, _ = write_keys(tmp_path, "stranger")
    plain = record_of(OWN, "Parotid_L")
    signed = SigningKey.read(private).signed(plain)
    assert words(tmp_path, signed, public) == "yes, 2026-01-31, by Jane Doe"
    assert words(tmp_path, plain, public) == "record not valid: it is not signed"
    wrong = "record not valid: its signature does not fit the site's key"
    assert words(tmp_path, SigningKey.read(stranger).signed(plain), public) == wrong
    # A forger who makes the digest fit keeps the signature of another content.
    forged = record_of(OWN, "Parotid_L", "Larynx").model_copy(
        update={"signature": signed.signature}
    )
    assert words(tmp_path, forged, public) == wrong
    for signature in ("AAAA", "no base64!"):
        assert words(tmp_path, plain.model_copy(update={"signature": signature}), public) == wrong


def test_without_a_key_the_signature_is_not_checked(tmp_path: Path) -> None:
    private, _ = write_keys(tmp_path, "site")
    signed = SigningKey.read(private).signed(record_of(OWN, "Parotid_L"))
    record_path(tmp_path, OWN.sha256).write_text(signed.as_json())
    assert standing(SiteRecords.open(tmp_path, None), OWN).record == signed


def test_other_keys_are_refused(tmp_path: Path) -> None:
    key = generate_private_key(SECP256R1())
    private, public = tmp_path / "ec.key", tmp_path / "ec.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(ValueError, match="no Ed25519 key"):
        SigningKey.read(private)
    with pytest.raises(ValueError, match="no Ed25519 key"):
        PublicKey.read(public)
    for path in (public, tmp_path / "empty"):
        path.touch()
        with pytest.raises(ValueError, match="no private key in PEM form"):
            SigningKey.read(path)
    with pytest.raises(ValueError, match="no public key in PEM form"):
        PublicKey.read(tmp_path / "empty")
