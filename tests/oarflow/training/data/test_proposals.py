"""Contours that networks propose for fitting patients without drawn ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from oarflow.commands import main
from oarflow.networks.card import PROPOSED_LABELS
from oarflow.networks.store import ModelStore
from oarflow.training.data.data_set import TrainingData
from oarflow.training.data.proposals import propose, read_proposals, with_proposals, write_proposals
from oarflow.training.fitting.checkpoint import read_checkpoint
from oarflow.training.fitting.loop import train
from oarflow.training.samplers.selection import sampler_for
from tests.oarflow.datasets.made_up import write_pddca
from tests.oarflow.training.configurations import NETWORK
from tests.oarflow.training.fit_and_export import CASES, fit_and_export
from tests.oarflow.training.patients import ORGANS, patient, small


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A localizer of both balls and a network of the left one."""
    work = tmp_path_factory.mktemp("work")
    strong = {"steps": 150, "batch": 6, "learning_rate": 0.01, "widths": [8, 16, 16]}
    localizer = small(
        name="localizer_axial",
        role="localizer",
        organs=list(ORGANS),
        patch_mm=[0, 192, 192],
        spacing_mm=[6, 6, 6],
        offsets_mm=[0],
        jitter_mm=[0, 6, 6],
        **strong,
    )
    for configuration in (localizer, small(**strong)):
        fit_and_export(configuration, work / "w", work / "models")
    return work / "models"


def test_only_what_nobody_drew_is_proposed(models: Path) -> None:
    store = ModelStore.open(models, device="cpu")
    whole, half = patient(99), patient(99, ("Parotid_R",))
    assert propose(whole, store, ORGANS) == {}
    found = propose(half, store, ORGANS)
    assert set(found) == {"Parotid_L"}, "of the right one there is no network"
    both = found["Parotid_L"] & whole.masks["Parotid_L"]
    assert both.sum() > 0.6 * whole.masks["Parotid_L"].sum()
    assert propose(half, store, ("Parotid_R",)) == {}


def test_a_proposal_never_takes_the_place_of_a_drawn_label(tmp_path: Path) -> None:
    half, ball = patient(1, ("Parotid_R",)), patient(1).masks["Parotid_L"]
    wrong = np.zeros_like(ball)
    wrong[0, 0, 0] = True
    write_proposals(tmp_path / "pt_1.npz", {"Parotid_L": ball, "Parotid_R": wrong})
    assert set(read_proposals(tmp_path / "pt_1.npz")) == set(ORGANS)
    taught = with_proposals(half, tmp_path)
    assert np.array_equal(taught.masks["Parotid_L"], ball)
    assert np.array_equal(taught.masks["Parotid_R"], half.masks["Parotid_R"])
    assert taught.proposed == {"Parotid_L"}
    assert set(with_proposals(half, tmp_path, ("Parotid_R",)).masks) == {"Parotid_R"}
    assert with_proposals(patient(2), tmp_path).masks.keys() == set(ORGANS)


def test_wrong_files_are_refused_in_words(tmp_path: Path) -> None:
    write_proposals(tmp_path / "pt_1.npz", {"Parotid_L": np.ones((2, 3, 4), dtype=bool)})
    with pytest.raises(ValueError, match=r"pt_1\.npz: Parotid_L \(2, 3, 4\), CT \(32, 40, 48\)"):
        with_proposals(patient(1, ()), tmp_path)
    np.savez(tmp_path / "pt_2.npz", something=np.zeros(3))
    with pytest.raises(ValueError, match="not a file of proposed labels"):
        with_proposals(patient(2), tmp_path)


def test_a_tuning_patient_is_given_no_proposal(tmp_path: Path) -> None:
    """What a network said must not be what another one is judged by."""
    for k in range(4):
        write_pddca(tmp_path / "data", f"0522c000{k}")
    data = TrainingData.open(tmp_path / "data")
    every = (*data.split.fit, *data.split.tune)
    for case in data.read(every):
        mask = np.zeros(case.ct.shape, dtype=bool)
        mask[2:5, 2:5, 2:5] = True
        write_proposals(tmp_path / "proposed" / f"{case.name}.npz", {"Larynx": mask})
    told = replace(data, proposed=tmp_path / "proposed")
    assert all("Larynx" in case.masks for case in told.read(data.split.fit))
    assert not any("Larynx" in case.masks for case in told.read(data.split.tune))
    alone = next(iter(told.read(data.split.fit, organ="SpinalCord")))
    assert set(alone.masks) == {"SpinalCord"}


def test_a_last_training_learns_from_everyone_and_says_of_what(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(4):
        write_pddca(tmp_path / "data", f"0522c000{k}")
    network = tmp_path / "network.yaml"
    network.write_text(yaml.safe_dump(NETWORK))
    data = ["--data", str(tmp_path / "data"), "--everyone"]
    proposed = tmp_path / "proposed"
    asked = ["--models", str(models), "--organs", "Parotid_L", "--output", str(proposed)]
    assert main(["train", "propose", *data, *asked]) == 0
    assert list(proposed.iterdir()) == [], "all of them have that label"
    unknown = ["--models", str(models), "--organs", "Larynx", "--output", str(proposed)]
    assert main(["train", "propose", *data, *unknown]) == 2
    assert "holds no network of Larynx" in capsys.readouterr().err
    work = tmp_path / "work"
    assert main(["train", "fit", str(network), *data, "--work", str(work), "--fold", "1/2"]) == 2
    assert "--everyone and --fold contradict" in capsys.readouterr().err
    told = [*data, "--work", str(work), "--proposed", str(proposed), "--data-name", "made up"]
    assert main(["train", "fit", str(network), *told]) == 0
    origin = read_checkpoint(work / "Parotid_L")["origin"]
    said = f"{PROPOSED_LABELS}: drawn of 4 patients, proposed of 0 more"
    assert (origin["cases"], origin["labels"]) == (4, said)


def test_batches_drawn_ahead_teach_the_same(tmp_path: Path) -> None:
    for kind in ({}, {"mixup": "plain"}, {"role": "localizer", "organs": list(ORGANS), "batch": 3}):
        configuration = small(steps=5, **kind)
        one, other = (
            train(
                sampler_for(CASES, configuration),
                configuration,
                tmp_path / f"{len(list(tmp_path.iterdir()))}",
                workers=workers,
            ).network.state_dict()
            for workers in (0, 2)
        )
        assert all(torch.equal(one[key], other[key]) for key in one)
