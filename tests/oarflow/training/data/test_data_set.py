"""Data sets as training reads them: parted by patient, any layout, from `fit` to `export`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from oarflow.commands import main
from oarflow.datasets.split import OPENKBP_SPLIT, Split
from oarflow.networks.store import ModelStore
from oarflow.training.configuration import read_configuration
from oarflow.training.data.data_set import TrainingData
from tests.oarflow.datasets.made_up import write_hanseg, write_pddca
from tests.oarflow.training.configurations import NETWORK


@pytest.fixture(scope="module")
def pddca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pddca")
    for k in range(4):
        write_pddca(folder, f"0522c000{k}")
    return folder


def test_openkbps_split_parts_all_170_patients() -> None:
    split = Split.read(OPENKBP_SPLIT)
    assert (len(split.fit), len(split.tune)) == (136, 34)
    assert len({*split.fit, *split.tune}) == 170
    numbers = {int(one.removeprefix("pt_")) for one in (*split.fit, *split.tune)}
    assert numbers <= set(range(1, 201)), "validation patients begin at 201"
    assert ("Esophagus", "pt_55") in split.excluded


def test_a_patient_never_fits_and_tunes(tmp_path: Path) -> None:
    ids = [f"case_{k:02}" for k in range(20)]
    split = Split.by_patient(ids)
    assert len(split.tune) == 3
    assert sorted((*split.fit, *split.tune)) == ids
    assert Split.by_patient(reversed(ids)) == split
    assert Split.by_patient(["a", "b"]).fit != ()
    assert Split.by_patient(["a"]) == Split(("a",), ())
    table = tmp_path / "split.yaml"
    table.write_text(yaml.safe_dump({"fit": ["a", "b"], "tune": ["b"]}))
    with pytest.raises(ValueError, match="both fit and tune: b"):
        Split.read(table)
    table.write_text("fit: [a]")
    with pytest.raises(ValueError, match="is no split"):
        Split.read(table)


def test_folds_hold_every_patient_out_once() -> None:
    split = Split.read(OPENKBP_SPLIT)
    everyone = sorted((*split.fit, *split.tune))
    folds = [split.fold(number, 3) for number in (1, 2, 3)]
    assert sorted(one for fold in folds for one in fold.tune) == everyone
    assert all(sorted((*fold.fit, *fold.tune)) == everyone for fold in folds)
    assert [len(fold.tune) for fold in folds] == [57, 57, 56]
    assert folds[0].excluded == split.excluded
    assert split.fold(2, 3) == folds[1]
    with pytest.raises(ValueError, match="no fold 4 of 3"):
        split.fold(4, 3)


def test_labels_that_a_split_leaves_out_are_not_read(pddca: Path, tmp_path: Path) -> None:
    table = tmp_path / "split.yaml"
    excluded = [{"organ": "Parotid_L", "patients": ["0522c0001"], "reason": "drawn elsewhere"}]
    ids = {"fit": ["0522c0000", "0522c0001", "0522c0002"], "tune": ["0522c0003"]}
    table.write_text(yaml.safe_dump(ids | {"exclusions": excluded}))
    data = TrainingData.open(pddca, table)
    assert [("Parotid_L" in case.masks) for case in data.read(data.split.fit)] == [
        True,
        False,
        True,
    ]
    assert data.labelled("Parotid_L") == ["0522c0000", "0522c0002", "0522c0003"]
    assert data.count(["Parotid_L"]) == 2
    assert data.count(["Parotid_L", "Parotid_R"]) == 3
    (alone,) = data.read(["0522c0000"], organ="SpinalCord")
    assert set(alone.masks) == {"SpinalCord"}
    assert all(len(case.masks) == 3 for case in data.unsplit())


def test_any_layout_goes_from_fit_to_an_export_that_says_what_it_learned_from(
    pddca: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = tmp_path / "network.yaml"
    network.write_text(yaml.safe_dump(NETWORK))
    models = tmp_path / "models"
    models.mkdir()
    shared = [str(network), "--work", str(tmp_path / "runs")]
    changed = ["--set", "window=[-50, 90]", "--set", "steps=3"]
    assert main(["train", "fit", *shared, "--data", str(pddca), *changed]) == 0
    assert main(["train", "export", *shared, "--models", str(models)]) == 2
    assert "give --data-name" in capsys.readouterr().err
    assert (
        main(["train", "export", *shared, "--models", str(models), "--data-name", "Our clinic"])
        == 0
    )
    card = ModelStore.open(models, device="cpu").card("Parotid_L")
    training = card.training
    assert (training.data, training.cases, training.steps) == ("Our clinic", 3, 3)
    assert training.recorded
    assert card.channels[0].window == (-50, 90)
    assert main(["train", "fit", *shared, "--data", str(pddca), "--set", "windows=1"]) == 2
    assert "windows" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", "fit", *shared, "--data", str(pddca), "--set", "window"])
    assert "'window' is not KEY=VALUE" in capsys.readouterr().err


def test_an_mr_that_cannot_be_registered_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_hanseg(tmp_path, "case_01")
    write_hanseg(tmp_path, "case_02", mr=False)
    data = TrainingData.open(tmp_path)
    cases = [*data.read([*data.split.fit, *data.split.tune], mr=True)]
    assert [case.mr for case in cases] == [None, None]
    assert caplog.text.count("trained without its MR") == 1
    assert "case_01: trained without its MR" in caplog.text


def test_wrong_folders_are_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing")
    assert main(["train", "tune", "--data", missing, "--models", missing, "--output", missing]) == 3
    assert "there is no folder" in capsys.readouterr().err
    assert read_configuration("twostep_mandible").read_labels == ("Bone_Mandible",) * 2
