"""The choice among several networks of one organ."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from oarflow.errors import ConfigurationError
from oarflow.networks.imported.card import OrganLabels
from oarflow.networks.store import ModelStore
from tests.oarflow.chain import save_models
from tests.oarflow.networks import test_rule_card
from tests.oarflow.segmentation.imported_networks import LEFT, write_imported


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A network of each parotid, and an imported network of both."""
    folder = save_models(tmp_path / "models")
    write_imported(folder / "elsewhere")
    return folder


@pytest.mark.parametrize("name", ["elsewhere", "imported/elsewhere"])
def test_a_preferred_network_contours_its_organ_alone(models: Path, name: str) -> None:
    store = ModelStore.open(models, device="cpu")
    assert store.card("Parotid_L").name == "test/Parotid_L"
    chosen = store.preferring({"Parotid_L": name})
    assert chosen.card("Parotid_L").name == "imported/elsewhere"
    assert chosen.card("Parotid_R").name == "test/Parotid_R"
    assert chosen.identities["Parotid_L"].imported
    assert store.card("Parotid_L").name == "test/Parotid_L"
    assert chosen.preferring({}).card("Parotid_L").name == "test/Parotid_L"


def test_a_preferred_network_replaces_a_rule(models: Path) -> None:
    test_rule_card.write(models)
    write_imported(models / "body", contours=(OrganLabels(organ="External", labels=(LEFT,)),))
    store = ModelStore.open(models, device="cpu")
    assert store.identities["External"].rule
    chosen = store.preferring({"External": "body"})
    assert chosen.rule("External") is None
    assert chosen.identities["External"].name == "imported/body"
    assert "External" in chosen.localized_organs


@pytest.mark.parametrize(
    ("organ", "name", "said"),
    [
        ("Parotid_L", "nobody", "'nobody'.*choose from Parotid_L, elsewhere"),
        ("Parotid_L", "Parotid_R", "choose from Parotid_L, elsewhere"),
        ("Parotid_L", "localizer", "choose from Parotid_L, elsewhere"),
        ("Brain", "elsewhere", "no network contours it"),
    ],
)
def test_a_network_that_does_not_contour_the_organ_is_refused(
    organ: str, name: str, said: str, models: Path
) -> None:
    with pytest.raises(ConfigurationError, match=said) as error:
        ModelStore.open(models, device="cpu", prefer={organ: name})
    assert error.value.code == "NETWORK_CHOICE"


def test_of_two_imported_networks_the_settings_must_name_one(models: Path) -> None:
    shutil.rmtree(models / "Parotid_L")
    write_imported(models / "other")
    with pytest.raises(ConfigurationError, match="elsewhere and other both contour Parotid_L") as e:
        ModelStore.open(models, device="cpu")
    assert e.value.code == "MODEL_CLASH"
    assert "prefer" in str(e.value)
    for name in ("elsewhere", "other"):
        store = ModelStore.open(models, device="cpu", prefer={"Parotid_L": name})
        assert store.card("Parotid_L").name == f"imported/{name}"
        assert store.card("Parotid_R").name == "test/Parotid_R"
