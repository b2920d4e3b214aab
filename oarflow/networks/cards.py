"""The cards of a models folder, read without loading a network."""

from __future__ import annotations

import hashlib
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.networks.card import CARD_NAME, ModelCard, parse_card, read_document
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.rule_card import is_rule

Card = ModelCard | ImportedCard
"""A network's card, of schema 1 or 2."""


def read_any_card(path: Path) -> Card:
    """A card of either schema. Raises ConfigurationError MODEL_CARD."""
    document = read_document(path)
    if document.get("schema_version") == 2:
        return parse_card(document, ImportedCard, path)
    return parse_card(document, ModelCard, path)


def read_cards(folder: Path) -> dict[str, Card]:
    """Every <network>/model.json, by the name of its folder. `read_rules` reads those of rules.

    Raises ConfigurationError: NO_MODELS, MODEL_CARD.
    """
    if not folder.is_dir():
        raise ConfigurationError("NO_MODELS", f"the models folder {folder} does not exist")
    files = sorted(folder.glob(f"[!.]*/{CARD_NAME}"))
    cards = {path.parent.name: read_any_card(path) for path in files if not is_rule(path)}
    if not cards:
        raise ConfigurationError("NO_MODELS", f"{folder} holds no <network>/{CARD_NAME}")
    return cards


def check_file(path: Path, card: Card, trusted: frozenset[str] | None = None) -> None:
    """Check that a network's file has the digest of its card.

    trusted: sha256 (hex) of the networks that may be loaded; None trusts the cards.
    Raises ConfigurationError: MODEL_MISSING, MODEL_HASH.
    """
    if file_sha256(path) != card.sha256:
        raise ConfigurationError("MODEL_HASH", f"the SHA-256 of {path} differs from its card")
    if trusted is not None and card.sha256 not in trusted:
        raise ConfigurationError("MODEL_HASH", f"the SHA-256 of {path} is not in trusted_models")


def file_sha256(path: Path) -> str:
    """sha256 (hex) of a file. Raises ConfigurationError MODEL_MISSING where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(
            "MODEL_MISSING", f"cannot read {path}: {error.strerror}"
        ) from error
