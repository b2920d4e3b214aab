"""A checkpoint says what was trained; resuming and exporting go by it, not by what is told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
import yaml

from oarflow.commands import main
from oarflow.errors import ConfigurationError
from oarflow.networks.card import ModelCard
from oarflow.networks.store import ModelStore
from oarflow.training.configuration import Configuration
from oarflow.training.export.cards import write_pages
from oarflow.training.fitting.checkpoint import CHECKPOINT_NAME, read_checkpoint
from oarflow.training.fitting.loop import train
from oarflow.training.fitting.record import TrainingOrigin, program_commit
from oarflow.training.samplers.selection import sampler_for
from tests.oarflow.datasets.made_up import write_pddca
from tests.oarflow.training.configurations import NETWORK
from tests.oarflow.training.patients import patient, small

# FIX ('oarflow.training', 'cards') cards

CASES = [patient(1)]
FALSE = {
    "learning_rate": "0.9",
    "window": "[-1000, 3000]",
    "seed": "77",
    "losses": "{focal: 1}",
    "steps": "9",
}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the network's file, its run and its data of two fitting patients."""
    folder = tmp_path_factory.mktemp("fitted")
    for k in range(3):
        write_pddca(folder / "data", f"0522c000{k}")
    (folder / "network.yaml").write_text(yaml.safe_dump(NETWORK))
    shared = [str(folder / "network.yaml"), "--work", str(folder / "runs")]
    named = ["--data", str(folder / "data"), "--data-name", "Our clinic"]
    assert main(["train", "fit", *shared, *named]) == 0
    return folder


def export(folder: Path, models: Path, *more: str, work: Path | None = None) -> int:
    models.mkdir(exist_ok=True)
    shared = [str(folder / "network.yaml"), "--work", str(work or folder / "runs")]
    return main(["train", "export", *shared, "--models", str(models), *more])


def card_of(models: Path) -> ModelCard:
    return ModelStore.open(models, device="cpu").card("Parotid_L")


def test_the_card_holds_what_the_training_wrote_down(fitted: Path, tmp_path: Path) -> None:
    assert export(fitted, tmp_path / "models") == 0
    training = card_of(tmp_path / "models").training
    assert (training.data, training.cases, training.steps) == ("Our clinic", 2, 2)
    assert training.commit == program_commit()
    assert training.recorded
    assert training.configuration["window"] == [-250, 250]
    write_pages(tmp_path / "models", tmp_path / "pages")
    page = (tmp_path / "pages" / "Parotid_L.md").read_text()
    assert "| commit | " in page
    assert "\n| record | configuration, data and commit were recorded during the training |" in page


@pytest.mark.parametrize("key", FALSE)
def test_a_false_statement_about_the_training_is_refused(
    fitted: Path, tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(fitted, tmp_path / "models", "--set", f"{key}={FALSE[key]}") == 2
    assert f"was not trained with {key} " in capsys.readouterr().err
    assert list((tmp_path / "models").iterdir()) == []


def test_other_data_cannot_be_claimed(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(fitted, tmp_path / "models", "--data-name", "Everybody's") == 2
    assert "was trained on 'Our clinic'" in capsys.readouterr().err


def test_a_file_that_was_edited_after_the_training_changes_nothing(
    fitted: Path, tmp_path: Path
) -> None:
    edited = tmp_path / "network.yaml"
    edited.write_text(yaml.safe_dump(NETWORK | {"window": [-1000, 3000], "widths": [8, 8]}))
    assert export(tmp_path, tmp_path / "models", work=fitted / "runs") == 0
    assert card_of(tmp_path / "models").channels[0].window == (-250, 250)


def test_a_run_that_wrote_nothing_down_is_exported_by_what_is_told(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = read_checkpoint(fitted / "runs" / "Parotid_L")
    place = tmp_path / "runs" / "Parotid_L"
    place.mkdir(parents=True)
    kept = {key: saved[key] for key in saved if key not in ("configuration", "origin")}
    torch.save(kept, place / CHECKPOINT_NAME)
    models, work = tmp_path / "models", tmp_path / "runs"
    assert export(fitted, models, "--data-name", "Ours", work=work) == 2
    assert "holds no record of its training: give export --data" in capsys.readouterr().err
    told = ["--data", str(fitted / "data"), "--data-name", "Ours", "--set", "window=[-50, 90]"]
    assert export(fitted, models, *told, work=work) == 0
    card = card_of(models)
    assert (card.training.data, card.training.cases) == ("Ours", 2)
    assert (card.training.commit, card.training.recorded) == ("unknown", False)
    assert card.channels[0].window == (-50, 90)
    assert export(fitted, models, *told, "--set", "widths=[8, 8]", work=work) == 2
    assert "holds another network than Parotid_L" in capsys.readouterr().err
    # A continued training has no record either: its beginning is unknown.
    train(sampler_for(CASES, small(**NETWORK)), small(**NETWORK | {"steps": 3}), place)
    assert "configuration" not in read_checkpoint(place)
    assert read_checkpoint(place)["step"] == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"window": (-1000, 3000)}, r"window was \(-250\.0, 250\.0\), not \(-1000"),
        ({"learning_rate": 0.9, "seed": 3}, "learning_rate was 0.002, not 0.9; seed was 1, not 3"),
        ({"steps": 1}, "steps was 2, not 1"),
    ],
)
def test_another_training_does_not_go_on_from_this_one(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    begun = small(steps=2, schedule="constant")
    train(sampler_for(CASES, begun), begun, tmp_path)
    other = small(**{"steps": 2, "schedule": "constant"} | changes)
    with pytest.raises(ConfigurationError, match=words):
        train(sampler_for(CASES, other), other, tmp_path)


def test_only_a_schedule_without_an_end_may_be_made_longer(tmp_path: Path) -> None:
    def run(schedule: str, steps: int) -> Configuration:
        configuration = small(steps=steps, schedule=schedule)
        train(sampler_for(CASES, configuration), configuration, tmp_path / schedule)
        return configuration

    run("constant", 2)
    run("constant", 3)
    assert read_checkpoint(tmp_path / "constant")["configuration"]["steps"] == 3
    run("cosine", 2)
    with pytest.raises(ConfigurationError, match="steps was 2, not 3"):
        run("cosine", 3)


def test_a_training_goes_on_with_its_own_data_and_names_every_commit(tmp_path: Path) -> None:
    def run(steps: int, origin: TrainingOrigin) -> None:
        configuration = small(steps=steps, schedule="constant")
        train(sampler_for(CASES, configuration), configuration, tmp_path, origin=origin)

    run(2, TrainingOrigin("Ours", 5, commit="a"))
    run(3, TrainingOrigin("Ours", 5, commit="b"))
    assert read_checkpoint(tmp_path)["origin"]["commit"] == "a, b"
    with pytest.raises(ConfigurationError, match="other data: cases 5, not 4"):
        run(4, TrainingOrigin("Ours", 4, commit="b"))


def test_the_commit_says_where_the_program_was_changed(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True)

    (tmp_path / "oarflow").mkdir()
    (tmp_path / "oarflow" / "a.py").write_text("1")
    assert program_commit(tmp_path) == "unknown"
    git("init", "-q")
    assert program_commit(tmp_path) == "unknown", "the repository does not hold the program"
    git("add", ".")
    git("commit", "-q", "-m", "a")
    (tmp_path / "notes.txt").write_text("of no account")
    clean = program_commit(tmp_path)
    assert len(clean) == 40
    (tmp_path / "oarflow" / "a.py").write_text("2")
    assert program_commit(tmp_path) == f"{clean}+changes"


def test_the_threshold_is_chosen_after_the_training(fitted: Path, tmp_path: Path) -> None:
    assert export(fitted, tmp_path / "models", "--set", "threshold=0.3") == 0
    card = card_of(tmp_path / "models")
    assert card.threshold == 0.3
    assert card.training.configuration["threshold"] == 0.3
