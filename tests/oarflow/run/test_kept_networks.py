"""Networks stay loaded while their folder and the settings stay the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from oarflow.errors import ConfigurationError
from oarflow.networks.backend import TorchScriptNetwork
from oarflow.networks.card import ModelCard
from oarflow.networks.store import ModelStore
from oarflow.run.kept_networks import KeptNetworks
from oarflow.run.memory import peak_memory_mb, restart_peak
from tests.app.workbench import Broken, write_models
from tests.oarflow.segmentation.imported_networks import write_imported


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return write_models(tmp_path / "models")


def network_of(store: ModelStore) -> TorchScriptNetwork:
    card = store.card("Parotid_L")
    assert isinstance(card, ModelCard)
    return store.network(card)


def test_a_network_is_loaded_once(models: Path) -> None:
    kept = KeptNetworks()
    first = kept.open(models, None, "cpu", None, {})
    network = network_of(first)
    assert kept.open(models, None, "cpu", None, {}) is first
    assert network_of(first) is network
    assert kept.open(
        models, frozenset(card.sha256 for card in first.cards.values()), "cpu", None, {}
    )


def test_an_imported_network_is_loaded_once(models: Path) -> None:
    write_imported(models / "imported")
    kept = KeptNetworks()
    stores = [kept.open(models, None, "cpu", None, {}) for _ in range(2)]
    loaded = [store.imported(store.cards["imported"]) for store in stores]
    assert loaded[0] is loaded[1]


def test_a_changed_network_is_loaded_anew(models: Path, tmp_path: Path) -> None:
    kept = KeptNetworks()
    before = network_of(kept.open(models, None, "cpu", None, {}))
    write_models(tmp_path / "other", Parotid_L=Broken())
    for name in ("model.ts", "model.json"):
        (tmp_path / "other" / "Parotid_L" / name).replace(models / "Parotid_L" / name)
    after = network_of(kept.open(models, None, "cpu", None, {}))
    assert after.card.sha256 != before.card.sha256


def test_a_network_that_no_longer_fits_its_card_is_refused(models: Path) -> None:
    kept = KeptNetworks()
    kept.open(models, None, "cpu", None, {})
    with (models / "Parotid_L" / "model.ts").open("ab") as file:
        file.write(b"more")
    for _ in range(2):
        with pytest.raises(ConfigurationError) as error:
            kept.open(models, None, "cpu", None, {})
        assert error.value.code == "MODEL_HASH"


def test_threads_are_those_of_the_settings(models: Path) -> None:
    before = torch.get_num_threads()
    try:
        kept = KeptNetworks()
        kept.open(models, None, "cpu", None, {})
        kept.open(models, None, "cpu", before + 1, {})
        assert torch.get_num_threads() == before + 1
        kept.open(models, None, "cpu", None, {})
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(before)


def test_the_peak_is_of_the_study_alone() -> None:
    if not restart_peak():
        pytest.skip("this kernel does not let a process lower its peak")
    ones = np.ones(400 << 17)
    high = peak_memory_mb()
    del ones
    assert peak_memory_mb() == pytest.approx(high, abs=1)  # the kernel counts in batches
    restart_peak()
    assert peak_memory_mb() < high - 300
