"""`oarflow models import bundle`: one command makes a network of a models folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from oarflow.commands import main
from oarflow.importing.errors import NotImportedError
from oarflow.networks.cards import read_any_card
from oarflow.networks.imported.card import ImportedCard, OrganLabels
from oarflow.networks.store import ModelStore
from tests.oarflow.chain import save_models
from tests.oarflow.importing.bundle.bundles import configuration, write_bundle

ROOT = Path(__file__).resolve().parents[4]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a localizer and both parotids. No orientation is asked for a proof."""
    monkeypatch.setattr("oarflow.importing.commands.with_proof", lambda card, content, ct: card)
    folder = save_models(tmp_path / "models")
    shutil.copy(ROOT / "models" / "organs.yaml", folder)
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "small heads", configuration())
    return tmp_path / "small heads"


def imported(bundle: Path, models: Path, *words: str) -> int:
    return main(["models", "import", "bundle", str(bundle), "-m", str(models), *words])


def test_one_command_makes_a_network(models: Path, bundle: Path, capsys: Capture) -> None:
    assert imported(bundle, models) == 0
    said = capsys.readouterr().out
    assert "imported small_heads" in " ".join(said.split())
    assert "Small heads 0.1.2" in said
    assert "Copyright (c) nobody; commercial use: unknown" in said
    card = read_any_card(models / "small_heads" / "model.json")
    assert isinstance(card, ImportedCard)
    assert card.organs == ("Brainstem", "Eye_L", "Eye_R")
    assert (card.orientation, card.architecture, card.mode) == ("RAS", "MONAI UNet", "fast")
    assert set(card.source.files) == {
        "configs/metadata.json",
        "configs/inference.json",
        "models/model.pt",
    }
    assert ModelStore.open(models).card("Eye_L") == card
    assert main(["models", "show", "small_heads", "-m", str(models)]) == 0
    assert "| origin | MONAI bundle: Small heads 0.1.2 |" in capsys.readouterr().out


def test_what_the_user_states(models: Path, bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "map.yaml").write_text("organs: {Larynx: [1, Eye_R]}\n")
    words = ["--organs", str(tmp_path / "map.yaml"), "--licence", "CC0-1.0", "--commercial", "yes"]
    assert imported(bundle, models, *words, "--exact", "--name", "larynx") == 0
    assert "exact: the labels of MONAI in the whole CT" in capsys.readouterr().out
    card = read_any_card(models / "larynx" / "model.json")
    assert isinstance(card, ImportedCard)
    assert card.contours == (OrganLabels(organ="Larynx", labels=(1, 3)),)
    assert (card.source.licence, card.source.commercial) == ("CC0-1.0", "yes")


def test_a_refusal_is_one_line_and_writes_nothing(
    models: Path, bundle: Path, capsys: Capture
) -> None:
    before = sorted(models.rglob("*"))
    (bundle / "configs" / "inference.json").write_text('{"preprocessing": "$exit()"}')
    assert imported(bundle, models) == 3
    assert capsys.readouterr().err.startswith("oarflow: preprocessing is the Python expression")
    assert sorted(models.rglob("*")) == before


def test_a_refused_orientation_says_where_it_is_stated(
    models: Path, bundle: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> ImportedCard:
        raise NotImportedError("no orientation agrees")

    monkeypatch.setattr("oarflow.importing.commands.with_proof", refuse)
    assert imported(bundle, models) == 3
    assert "transform Orientationd states the orientation" in capsys.readouterr().err


def test_only_networks_of_nnunet_are_verified(
    models: Path, bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    pytest.importorskip("SimpleITK")
    assert imported(bundle, models) == 0
    capsys.readouterr()
    words = ["--case", str(tmp_path), "--python", "python"]
    assert main(["models", "verify", "small_heads", "-m", str(models), *words]) == 3
    assert "is a MONAI bundle: only networks of nnU-Net" in capsys.readouterr().err


def test_yaml_says_the_same(models: Path, bundle: Path) -> None:
    stated = bundle / "configs" / "inference.json"
    (bundle / "configs" / "inference.yaml").write_text(yaml.safe_dump(configuration()))
    assert imported(bundle, models, "--name", "both") == 3
    stated.unlink()
    assert imported(bundle, models, "--name", "yaml") == 0
    card = read_any_card(models / "yaml" / "model.json")
    assert isinstance(card, ImportedCard)
    assert card.spacing_mm == (1.7, 1.3, 2.1)
    assert "configs/inference.yaml" in card.source.files


def test_weights_need_monai(
    models: Path, bundle: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert imported(bundle, models) == 3
    assert "monai is not installed: install OARflow with the extra [train], or use model.ts" in (
        capsys.readouterr().err
    )
