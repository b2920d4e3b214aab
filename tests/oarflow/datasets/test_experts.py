"""Experts' contours: two cases a patient, labels by coverage, observers and twins in one fold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oarflow.datasets.experts import Experts
from oarflow.datasets.opening import open_data_set
from oarflow.training.data.data_set import EXPERTS_NAME, OPENKBP_NAME, TrainingData
from tests.oarflow.datasets.made_up_experts import BOX, SHAPE, write_experts

WHOLE = {"Parotid-Rt": 1.0, "Mandible": 0.94, "Spinal-Cord": 0.3, "Orbit-Lt": 0.5, "Brain": 0.05}


def test_a_patient_is_two_cases_of_the_organs_that_are_labels(tmp_path: Path) -> None:
    cases = open_data_set(write_experts(tmp_path, {"pt_36": WHOLE, "pt_3": WHOLE}))
    assert isinstance(cases, Experts)
    assert list(cases) == [
        "pt_3-oncologist",
        "pt_3-radiographer",
        "pt_36-oncologist",
        "pt_36-radiographer",
    ]
    assert len(cases) == 4
    first, second = cases["pt_3-oncologist"], cases["pt_3-radiographer"]
    assert first.id == "pt_3-oncologist"
    # The mandible and the eye are cut off by too much; the cord is right as far as the CT goes.
    assert list(first.masks) == ["Parotid_R", "SpinalCord"]
    drawn = np.zeros(SHAPE, dtype=bool)
    drawn[BOX] = True
    assert (first.masks["Parotid_R"] == drawn).all()
    drawn[:, :, 6] = False
    assert (second.masks["Parotid_R"] == drawn).all()
    assert first.ct[5, 10, 10] == 24  # OpenKBP's HU
    assert list(cases.clinical("pt_3").masks) == ["Parotid_R"]
    with pytest.raises(KeyError):
        cases["pt_3"]
    with pytest.raises(KeyError):
        cases["pt_3-surgeon"]


def test_a_folder_without_an_index_is_none(tmp_path: Path) -> None:
    folder = write_experts(tmp_path, {"pt_3": WHOLE})
    (folder.parent / "index.json").unlink()
    with pytest.raises(FileNotFoundError, match="no contours of experts"):
        Experts(folder)


def test_both_observers_of_a_patient_are_held_out_together(tmp_path: Path) -> None:
    names = [f"pt_{k}" for k in (1, 2, 3, 4, 5, 6)]
    data = TrainingData.open(write_experts(tmp_path, dict.fromkeys(names, WHOLE)))
    assert data.name == EXPERTS_NAME
    apart: list[str] = []
    for number in (1, 2, 3):
        split = data.fold(number, 3).split
        patients = [one.split("-")[0] for one in split.tune]
        assert len(patients) == 4
        assert len(set(patients)) == 2
        assert not set(patients) & {one.split("-")[0] for one in split.fit}
        apart += patients
    assert sorted(set(apart)) == names


def test_whom_the_experts_drew_takes_no_part_nor_a_twin(tmp_path: Path) -> None:
    experts = write_experts(tmp_path / "few", {"pt_36": WHOLE, "pt_3": WHOLE})
    many = write_experts(tmp_path / "many", {f"pt_{k}": WHOLE for k in (3, 4, 36, 293)})
    openkbp = many.parent.parent / "openkbp" / "train"
    table = tmp_path / "split.yaml"
    table.write_text("fit: [3, 4, 293]\ntune: []\n")
    data = TrainingData.open(openkbp, table).without(experts)
    assert data.split.fit == ("pt_4",)
    assert data.name == f"{OPENKBP_NAME}, without 2 patients"
    table.write_text("fit: [3, 36, 293]\ntune: [4]\n")
    with pytest.raises(ValueError, match="no fitting patient is left"):
        TrainingData.open(openkbp, table).without(experts)
