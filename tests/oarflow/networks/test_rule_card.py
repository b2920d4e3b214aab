"""Cards of rules, and their place beside networks in a models folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oarflow.errors import ConfigurationError
from oarflow.networks.cards import read_cards
from oarflow.networks.rule_card import read_rules
from oarflow.networks.store import ModelStore
from tests.oarflow.chain import save_models

CARD = {
    "name": "oarflow/External",
    "version": "1.0.0",
    "role": "rule",
    "rule": "external",
    "organs": ["External"],
}


def write(folder: Path, place: str = "External", **changes: Any) -> None:
    (folder / place).mkdir(parents=True)
    text = json.dumps({**CARD, **changes})
    (folder / place / "model.json").write_text(text, encoding="utf-8")


def test_a_rule_is_no_network(tmp_path: Path) -> None:
    models = save_models(tmp_path / "models")
    networks = read_cards(models)
    write(models)
    assert read_cards(models) == networks
    assert list(read_rules(models)) == ["External"]


def test_a_store_contours_the_organs_of_both(tmp_path: Path) -> None:
    models = save_models(tmp_path / "models")
    write(models)
    write(models, "Skin", name="oarflow/Skin", rule="skin", organs=["Skin"], on_request=True)
    store = ModelStore.open(models, device="cpu")
    assert {"External", "Skin", "Parotid_L"} <= set(store.organs)
    assert "Skin" not in store.organs_by_default
    assert store.identities["External"].rule
    assert not store.identities["Parotid_L"].rule
    assert "External" not in store.localized_organs


def test_the_digest_depends_on_the_card(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b", version="1.0.1")
    first, second = (read_rules(tmp_path / name)["External"].sha256 for name in "ab")
    assert len(first) == 64
    assert first != second


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rule": "guess"}, "unknown rule 'guess'"),
        ({"organs": ["Larynx"]}, "does not contour Larynx"),
        ({"sha256": "0" * 64}, "sha256"),
    ],
)
def test_a_wrong_card_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    write(tmp_path, **changes)
    with pytest.raises(ConfigurationError, match=words) as error:
        read_rules(tmp_path)
    assert error.value.code == "MODEL_CARD"


def test_two_rules_for_one_organ_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, "Body")
    with pytest.raises(ConfigurationError, match="both Body and External are rules"):
        read_rules(tmp_path)
