"""Networks of several seeds, made into one that answers with their mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from oarflow.networks.card import CARD_NAME, ModelCard, read_card
from oarflow.networks.store import ModelStore
from tests.training.patients import patient, small
from training.__main__ import main
from training.cards import write_pages
from training.checkpoint import Origin
from training.configuration import Configuration
from training.ensemble import unite
from training.export import export
from training.loop import train
from training.samplers import sampler_for

CASES = [patient(1), patient(2)]


def shipped(folder: Path, configuration: Configuration, data: str = "Made up") -> Path:
    """A models folder with the one network, hardly trained."""
    work = folder / "work"
    train(sampler_for(CASES, configuration), configuration, work)
    origin = Origin(data, 2, commit="abc")
    export(configuration, work, folder / "models", origin=origin, version="1.0.0", recorded=True)
    return folder / "models"


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [
        shipped(tmp_path_factory.mktemp(f"seed{seed}"), small(steps=2, seed=seed))
        for seed in (1, 2)
    ]


def logits_of(models: Path, images: np.ndarray) -> np.ndarray:
    """What a folder's network says, before the sigmoid."""
    found = ModelStore.open(models, device="cpu").segmenter("Parotid_L").probabilities(images)
    return torch.logit(torch.from_numpy(found).double()).numpy()


def test_the_mean_answers_with_the_mean_of_its_members(members: list[Path], tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(0, 1, (3, 3, 32, 32)).astype(np.float32)
    unite(members, tmp_path, "1.1.0")
    first, second = (logits_of(one, images) for one in members)
    assert np.abs(first - second).max() > 0.01
    assert np.abs(logits_of(tmp_path, images) - (first + second) / 2).max() < 1e-3


def test_the_card_says_how_each_member_was_trained(members: list[Path], tmp_path: Path) -> None:
    unite(members, tmp_path / "mean", "1.1.0")
    first = read_card(members[0] / "Parotid_L" / CARD_NAME)
    card = read_card(tmp_path / "mean" / "Parotid_L" / CARD_NAME)
    assert card.version == "1.1.0"
    assert card.architecture == f"mean of 2: {first.architecture}"
    assert card.parameters == 2 * first.parameters
    assert [one.configuration["seed"] for one in card.members] == [1, 2]
    assert card.training.steps == 4
    assert card.training.recorded
    write_pages(tmp_path / "mean", tmp_path / "pages")
    page = (tmp_path / "pages" / "Parotid_L.md").read_text()
    assert "| members | 2, of seeds 1, 2; steps and minutes are of all |" in page


def test_what_cannot_be_one_is_refused(members: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the same network twice"):
        unite([members[0], members[0]], tmp_path / "out", "1.1.0")
    other = shipped(tmp_path / "other", small(steps=2, window=[-100, 100]))
    with pytest.raises(ValueError, match="differ in channels"):
        unite([members[0], other], tmp_path / "out", "1.1.0")
    strange = shipped(tmp_path / "strange", small(steps=2, seed=3), data="Elsewhere")
    with pytest.raises(ValueError, match="differ in training data"):
        unite([members[0], strange], tmp_path / "out", "1.1.0")
    unite(members, tmp_path / "mean", "1.1.0")
    with pytest.raises(ValueError, match="a mean already"):
        unite([tmp_path / "mean", members[0]], tmp_path / "out", "1.1.0")
    assert not (tmp_path / "out").exists()


def test_the_command_writes_what_all_folders_hold(
    members: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(one) for one in members]
    assert main(["ensemble", "--models", *folders, "--output", str(tmp_path / "mean")]) == 0
    assert capsys.readouterr().out.startswith("oarflow/Parotid_L 1.0.0: ")
    assert main(["ensemble", "--models", folders[0], str(tmp_path), "--output", "x"]) == 2
    assert "no network is in all of" in capsys.readouterr().err


def test_a_card_without_members_is_read_as_before(members: list[Path]) -> None:
    text = (members[0] / "Parotid_L" / CARD_NAME).read_text()
    assert '"members": []' in text
    assert not ModelCard.model_validate_json(text.replace('"members": [],', "")).members
