"""TWOSTEP's networks and its comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oarflow.networks.card import Channel, Role
from oarflow.networks.store import ModelStore
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Status
from oarflow.training.architectures import build_network
from oarflow.training.architectures.dyn_unet import SupervisedUNet
from oarflow.training.configuration import read_configuration
from oarflow.training.data.as_served import volume_of
from oarflow.training.data.labels import Labels
from oarflow.training.export.model_folder import export
from oarflow.training.fitting.loop import train
from oarflow.training.fitting.record import TrainingOrigin
from oarflow.training.papers.method_scores import DICE, write_method_scores
from oarflow.training.papers.twostep import STEPS, step_scores
from oarflow.training.samplers.regions import box_about
from oarflow.training.samplers.selection import sampler_for
from oarflow.training.tuning.scores import true_localization
from tests.oarflow.systems import WINDOW, Everywhere, Near, write_model
from tests.oarflow.training.configurations import region
from tests.oarflow.training.patients import ORGANS, patient

MADE_UP = TrainingOrigin("made up", 2)


def test_the_pieces_of_mandible_are_scored_in_the_reference_s_box(tmp_path: Path) -> None:
    """A network that says the mandible everywhere: its Dice is the box's, by hand."""
    case = patient(0)
    bone = np.zeros(case.ct.shape, dtype=bool)
    bone[10:14, 10:14, 10:14] = True
    far = np.roll(bone, (16, 24, 32), axis=(0, 1, 2))
    glands = {organ: np.roll(bone, 1, axis=0) for organ in ORGANS}
    case = replace(case, masks=Labels({"Bone_Mandible": bone, **glands}))
    pieces = ("Mandible_Ramus_L", "Mandible_Ramus_R")
    sided = (Channel(window=WINDOW), Channel(source="side"))
    write_model(tmp_path / "everywhere", Everywhere(), organs=pieces, channels=sided)
    write_model(tmp_path / "loc", Near((150.0, -150.0)), role=Role.LOCALIZER, organs=ORGANS)
    store = ModelStore.open(tmp_path, device="cpu")
    measured = list(step_scores([case], store, store, "Mandible_Ramus_L", "Parotid_L"))
    rows = [row for measure, row in measured if measure == DICE]
    box = box_about(case, "Parotid_L", 17.0)
    size = np.prod([part.stop - part.start for part in box])
    assert [row[1:3] for row in rows] == [(p, m) for m in STEPS for p in pieces]
    assert [row[3] for row in rows] == pytest.approx([2 * 64 / (64 + size)] * 4)
    recalled = [row[3] for measure, row in measured if measure == "recall"]
    assert recalled == [1.0] * 4
    write_method_scores(
        {DICE: rows, "recall": [rows[0]._replace(case="one")]}, tmp_path / "steps.csv"
    )
    lines = (tmp_path / "steps.csv").read_text().splitlines()
    assert lines[0] == "case,organ,method,dice,recall"
    assert lines[1].endswith(",")
    assert lines[-1].startswith("one,")
    assert ",," in lines[-1]
    elsewhere = replace(case, masks=Labels({"Bone_Mandible": bone, **dict.fromkeys(ORGANS, far)}))
    assert not list(step_scores([elsewhere], store, store, "Mandible_Ramus_L", "Parotid_L"))


def test_a_two_step_network_trains_exports_and_runs_about_its_source(tmp_path: Path) -> None:
    cases = [patient(number) for number in range(2)]
    models = tmp_path / "models"
    gland = region(
        name="gland", organs=list(ORGANS), labels={}, region="volume", source=None, grow_mm=0
    )
    for configuration in (gland, region()):
        work = tmp_path / "w" / configuration.name
        train(sampler_for(cases, configuration), configuration, work)
        card = export(configuration, work, models, origin=MADE_UP, version="1.0.0")
        assert card.sided
    store = ModelStore.open(models, device="cpu")
    result = Segmenter(volume_of(cases[0]), {}, store).segment("Mandible_Ramus_R")
    assert result.status is not Status.NO_MODEL
    assert "the network ended in an error" not in result.flags


def test_a_second_step_about_a_localization_trains_and_runs(tmp_path: Path) -> None:
    cases = [patient(number) for number in range(2)]
    shrunk = {"widths": [4, 8, 8], "patch_mm": [48, 64, 64], "spacing_mm": [4, 4, 4], "steps": 2}
    configuration = read_configuration("twostep_each/Parotid_L", **shrunk)
    assert isinstance(build_network(configuration), SupervisedUNet)
    train(sampler_for(cases, configuration), configuration, tmp_path / "w")
    card = export(configuration, tmp_path / "w", tmp_path, origin=MADE_UP, version="1.0.0")
    assert (card.organs, card.margin_mm) == (("Parotid_L",), 17)
    case = cases[0]
    found = {"Parotid_L": true_localization(case, "Parotid_L", np.zeros(3))}
    result = Segmenter(volume_of(case), found, ModelStore.open(tmp_path, device="cpu")).segment(
        "Parotid_L"
    )
    assert result.status is not Status.NO_MODEL
    assert "the network ended in an error" not in result.flags
