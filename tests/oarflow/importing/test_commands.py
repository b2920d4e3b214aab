"""`oarflow models import nnunet`: one command makes a network of a models folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from oarflow.commands import main
from oarflow.errors import ConfigurationError
from oarflow.importing.errors import NotImportedError
from oarflow.importing.organ_map import by_file, by_name
from oarflow.networks.cards import read_any_card
from oarflow.networks.imported.card import CropRule, ImportedCard, OrganLabels
from oarflow.networks.imported.exact import exact_labels
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.store import ModelStore
from oarflow.organs import load_catalogue
from tests.oarflow.chain import save_models
from tests.oarflow.importing.nnunet.cases import SMALL, goldens
from tests.oarflow.networks import test_rule_card

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = goldens(SMALL)[0]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a localizer and both parotids. No orientation is asked for a proof."""
    monkeypatch.setattr("oarflow.importing.commands.with_proof", lambda card, content, ct: card)
    folder = save_models(tmp_path / "models")
    shutil.copy(ROOT / "models" / "organs.yaml", folder)
    return folder


def organ_map(folder: Path, text: str) -> str:
    path = folder / "map.yaml"
    path.write_text(text)
    return str(path)


def imported(models: Path, *words: str, name: str = "small") -> int:
    command = ["models", "import", "nnunet", str(GOLDEN.folder), "-m", str(models)]
    return main([*command, "--orientation", "LPS", "--name", name, *words])


def test_one_command_makes_a_network(models: Path, tmp_path: Path, capsys: Capture) -> None:
    mapped = organ_map(tmp_path, "labels: {1: Eye_L}\norgans: {Larynx: [2, 3], Parotid_L: [4]}\n")
    words = ("--organs", mapped, "--licence", "CC0-1.0", "--commercial", "yes")
    assert imported(models, *words) == 0
    said = capsys.readouterr().out
    assert "Parotid_L      label 4" in said
    assert "not used: Parotid_L contours it" in said
    assert "CC0-1.0; commercial use: yes" in said
    card = read_any_card(models / "small" / "model.json")
    assert isinstance(card, ImportedCard)
    assert card.contours == (
        OrganLabels(organ="Eye_L", labels=(1,)),
        OrganLabels(organ="Larynx", labels=(2, 3)),
        OrganLabels(organ="Parotid_L", labels=(4,)),
    )
    assert card.orientation_proof == "unproven"
    assert set(card.source.files) == {
        "plans.json",
        "dataset.json",
        "fold_0/checkpoint_final.pth",
    }
    network = ImportedNetwork(models / "small" / "model.ts", card, "cpu")
    found = exact_labels(GOLDEN.volume.hu, GOLDEN.volume.grid, network)
    assert int((found != GOLDEN.labels).sum()) <= 10
    assert not [path for path in models.iterdir() if path.name.startswith(".")]


def test_how_and_where_it_runs_are_stated(models: Path, tmp_path: Path, capsys: Capture) -> None:
    mapped = organ_map(tmp_path, "labels: {1: Eye_L}\n")
    crop = ("--crop-organs", "Parotid_L", "left parotid", "--crop-margin", "55")
    assert imported(models, "--organs", mapped, "--exact", *crop) == 0
    assert "exact: the labels of nnU-Net in the whole CT" in capsys.readouterr().out
    card = read_any_card(models / "small" / "model.json")
    assert isinstance(card, ImportedCard)
    assert card.mode == "exact"
    assert card.crop == CropRule(organs=("Parotid_L",), margin_mm=55.0)


def test_the_network_is_listed_shown_and_verified(
    models: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert imported(models, "--organs", organ_map(tmp_path, "labels: {1: Eye_L}\n")) == 0
    capsys.readouterr()
    for words in ("models", "models show small", "models verify", "organs"):
        assert main([*words.split(), "-m", str(models)]) == 0
    said = capsys.readouterr().out
    assert "# imported/small" in said
    assert "small: matches its card" in said
    assert "| Eye_L | 1 " in said
    assert main(["models", "-m", str(models), "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["small"]["schema_version"] == 2


def test_the_store_keeps_an_organs_own_network(models: Path, tmp_path: Path) -> None:
    mapped = organ_map(tmp_path, "labels: {1: Eye_L, 2: Parotid_L}\n")
    assert imported(models, "--organs", mapped) == 0
    store = ModelStore.open(models)
    assert store.card("Parotid_L").name == "test/Parotid_L"
    card = store.card("Eye_L")
    assert isinstance(card, ImportedCard)
    assert store.imported(card) is store.imported(card)
    assert "Eye_L" in store.localized_organs


def test_the_import_says_which_organs_others_contour(
    models: Path, tmp_path: Path, capsys: Capture
) -> None:
    test_rule_card.write(models, "ruled", rule="skin", organs=["Skin"])
    mapped = organ_map(tmp_path, "labels: {1: Eye_L, 2: Parotid_L, 3: Skin}\n")
    assert imported(models, "--organs", mapped) == 0
    said = capsys.readouterr().out
    assert "Parotid_L      label 2 SpinalCord; not used: Parotid_L contours it" in said
    assert "Skin           label 3 Parotid_R; not used: ruled contours it" in said
    assert "`prefer` chooses the network of an organ" in said
    assert "Eye_L          label 1 Brainstem\n" in said


def test_of_two_imported_networks_the_settings_must_name_one(
    models: Path, tmp_path: Path, capsys: Capture
) -> None:
    mapped = organ_map(tmp_path, "labels: {1: Eye_L}\n")
    assert imported(models, "--organs", mapped) == 0
    assert "prefer" not in capsys.readouterr().out
    assert imported(models, "--organs", mapped, name="other") == 0
    assert "small contours it, too: `prefer` must name one" in capsys.readouterr().out
    with pytest.raises(ConfigurationError, match="both contour Eye_L"):
        ModelStore.open(models)
    store = ModelStore.open(models, prefer={"Eye_L": "other"})
    assert store.card("Eye_L").name == "imported/other"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--orientation", "LXS"], "an orientation is three letters"),
        (["--name", "../up"], "cannot be a folder's name"),
        (["--name", "Parotid_L"], "exists"),
        (["--folds", "4"], "there is no fold 4"),
        (["--organs", "absent.yaml"], "absent.yaml cannot be read"),
        (["--crop-organs", "Larynx"], "choose from Parotid_L, Parotid_R"),
        (["--crop-organs", "Ear Wax"], "'Ear Wax', which the localization network does not find"),
        (["--crop-margin", "-1"], "--crop-margin is -1: give it in mm"),
        (["--crop-margin", "nan"], "--crop-margin is nan"),
    ],
)
def test_refusals_write_nothing(
    words: list[str], said: str, models: Path, tmp_path: Path, capsys: Capture
) -> None:
    before = sorted(models.rglob("*"))
    mapped = organ_map(tmp_path, "labels: {1: Eye_L}\n")
    assert imported(models, "--organs", mapped, *words) == 3
    error = capsys.readouterr().err
    assert error.startswith("oarflow: ")
    assert said in error
    assert sorted(models.rglob("*")) == before


LABELS = {"brainstem": (1,), "eye left": (2,), "both_eyes": (3,), "whole": (1, 2)}


def test_labels_are_organs_by_their_names() -> None:
    found = by_name(LABELS, load_catalogue(ROOT / "models"))
    assert found.contours == (
        OrganLabels(organ="Brainstem", labels=(1,)),
        OrganLabels(organ="Eye_L", labels=(2,)),
    )
    assert found.unused == ("both_eyes", "whole")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("labels: {brainstem: Brain_Stem}", "Brain_Stem"),
        ("labels: {nothing: Brainstem}", "no label 'nothing'"),
        ("labels: {9: Brainstem}", "no label 9"),
        ("labels: {brainstem: Brainstem, 2: Brainstem}", "names Brainstem twice"),
        (
            "labels: {brainstem: Brainstem}\norgans: {Brainstem: [2]}",
            "under labels and under organs",
        ),
        ("organs: {Brainstem: []}", "organs"),
        ("organs: {Eye_L: {labels: [3], side: up}}", "side"),
        ("{}", "no label has the name"),
        ("brainstem: Brainstem", "unknown key 'brainstem'"),
    ],
)
def test_maps_are_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    path = Path(organ_map(tmp_path, text))
    with pytest.raises(NotImportedError, match=said):
        by_file(path, LABELS, load_catalogue(ROOT / "models"))


def test_a_map_of_regions_and_sides(tmp_path: Path) -> None:
    text = "organs:\n  Brain: [whole]\n  Eye_L: {labels: [both_eyes], side: left}\n"
    found = by_file(Path(organ_map(tmp_path, text)), LABELS, load_catalogue(ROOT / "models"))
    assert found.contours == (
        OrganLabels(organ="Brain", labels=(1, 2)),
        OrganLabels(organ="Eye_L", labels=(3,), side="left"),
    )


def test_a_file_that_was_changed_is_not_loaded(models: Path, tmp_path: Path) -> None:
    assert imported(models, "--organs", organ_map(tmp_path, "labels: {1: Eye_L}\n")) == 0
    with (models / "small" / "model.ts").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ConfigurationError, match="SHA-256"):
        ModelStore.open(models)
