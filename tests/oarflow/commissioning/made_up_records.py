"""Keys, and records of networks as `oarflow commission` writes them, with made-up outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from oarflow.commissioning.record import NetworkRecord, OrganVerdict
from oarflow.commissioning.site import NetworkStanding, SiteRecords, write_record
from oarflow.networks.cards import read_cards
from oarflow.structures import ModelIdentity


def verdict(network: ModelIdentity, organ: str, *reasons: str) -> OrganVerdict:
    """An organ that passed with the network's card, or did not for these reasons."""
    card = network.card_sha256
    return OrganVerdict(organ=organ, card_sha256=card, passed=not reasons, reasons=reasons)


def record_of(network: ModelIdentity, *organs: str, **changes: Any) -> NetworkRecord:
    """A sealed record in which the organs passed."""
    plain: dict[str, Any] = {
        "made": "2026-01-31T12:00:00+00:00",
        "clinic": "Ours",
        "signed_by": "Jane Doe",
        "network": network.name,
        "network_version": network.version,
        "network_sha256": network.sha256,
        "organs": tuple(verdict(network, organ) for organ in organs),
        "record_sha256": "e" * 64,
    }
    return NetworkRecord(**plain | changes).sealed()


def standing(records: SiteRecords, network: ModelIdentity) -> NetworkStanding:
    """The standing of a network with its card."""
    return records.standing(network.sha256, network.card_sha256)


def commission_all(models: Path, folder: Path) -> Path:
    """A record for every network of a models folder, with all of its organs. Returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    cards = read_cards(models).values()
    for card in cards:
        same = [one for one in cards if one.sha256 == card.sha256]
        organs = tuple(verdict(one.identity, organ) for one in same for organ in one.organs)
        write_record(folder, record_of(card.identity, organs=organs))
    return folder


def write_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Files with a private key and its public half."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public
