"""The list of shipped networks is that of models/, and no card can add itself."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from oarflow.commissioning.shipped import SHIPPED, is_shipped
from oarflow.commissioning.site import SiteRecords
from oarflow.locations import ROOT
from oarflow.networks.card import ModelCard, read_card
from oarflow.networks.cards import read_cards

MODELS = ROOT / "models"
CARDS = read_cards(MODELS)


def test_the_list_holds_every_network_of_models_and_no_other() -> None:
    listed = yaml.safe_load(SHIPPED.read_text())["networks"]
    there = {}
    for path in sorted(MODELS.glob("*/model.json")):
        card = json.loads(path.read_text())
        if card["role"] == "rule":
            continue
        network = hashlib.sha256((path.parent / "model.ts").read_bytes()).hexdigest()
        assert card["sha256"] == network
        there[path.parent.name] = {"network": network, "card": read_card(path).digest}
    assert listed == there


def test_shipped_networks_are_not_flagged_and_have_a_source() -> None:
    for card in CARDS.values():
        found = SiteRecords().standing(card.sha256, card.digest)
        assert found.words == "no (shipped with OARflow)"
        assert found.doubt("Parotid_L") == ""
        source = card.identity.source
        assert source is not None
        assert (source.licence, source.commercial) == ("Apache-2.0", "yes")


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0.3},
        {"organs": ("Larynx",)},
        {"spacing_mm": (0.0, 2.0, 2.0)},
        {"sha256": "ab" * 32},
    ],
)
def test_a_changed_card_or_network_is_not_the_shipped_one(change: dict[str, object]) -> None:
    card = ModelCard.model_validate({**CARDS["Parotid_L"].model_dump(), **change})
    assert not is_shipped(card.sha256, card.digest)
    assert SiteRecords().standing(card.sha256, card.digest).doubt("Parotid_L") == "it has no record"
    assert card.identity.source is None


def test_figures_and_names_on_a_card_do_not_matter() -> None:
    card = CARDS["Parotid_L"]
    changed = card.model_copy(update={"validation": None, "note": "x", "name": "n"})
    assert changed.digest == card.digest


def test_a_card_has_no_key_to_call_itself_commissioned(tmp_path: Path) -> None:
    fields = " ".join(ModelCard.model_fields)
    assert "commission" not in fields
    assert "shipped" not in fields
