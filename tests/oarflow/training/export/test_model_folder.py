"""A trained network's export does in the application what the network did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from oarflow.errors import Fault
from oarflow.networks.store import ModelStore
from oarflow.segmentation.localizer import localize
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import ProbabilityField, Status
from oarflow.training.data.as_served import volume_of
from oarflow.training.export.model_folder import export
from oarflow.training.fitting.loop import train
from oarflow.training.fitting.record import TrainingOrigin
from oarflow.training.samplers.selection import sampler_for, validation_sampler
from oarflow.training.tuning.scores import score_case, true_localization
from tests.oarflow.training.configurations import ENCODER, EVERYTHING
from tests.oarflow.training.fit_and_export import CASES, fit_and_export
from tests.oarflow.training.patients import ORGANS, PARTLY_LABELLED, patient, small


def test_a_trained_network_finds_the_organ_of_an_unseen_patient(tmp_path: Path) -> None:
    models = tmp_path / "models"
    fit_and_export(
        small(steps=150, batch=6, learning_rate=0.01, widths=[8, 16, 16]), tmp_path / "work", models
    )
    store = ModelStore.open(models, device="cpu")
    scores = {score.organ: score for score in score_case(patient(99), store, jitter_mm=2.0)}
    assert list(scores) == ["Parotid_L"]
    assert scores["Parotid_L"].dice > 0.7


def test_a_union_is_what_its_parts_are_together(tmp_path: Path) -> None:
    both = small(
        name="both",
        organs=list(ORGANS),
        unions={"Lungs": list(ORGANS)},
        region="slice",
        patch_mm=[0, 160, 192],
        steps=60,
        batch=6,
        learning_rate=0.01,
        widths=[8, 16, 16],
    )
    fit_and_export(both, tmp_path / "work", tmp_path / "models")
    store = ModelStore.open(tmp_path / "models", device="cpu")
    segmenter = Segmenter(volume_of(patient(99)), {}, store)
    fields = [segmenter.segment(organ).field for organ in (*ORGANS, "Lungs")]
    left, right, union = (_filled(field) for field in fields)
    assert left.any()
    assert right.any()
    assert np.array_equal(union, left | right)
    with pytest.raises(ValidationError, match="unions are of the network's organs"):
        small(unions={"Lungs": ["Lung_L"]})


def _filled(field: ProbabilityField | None) -> NDArray[np.bool_]:
    assert field is not None
    return field.full_mask(patient(99).ct.shape)


def test_a_network_about_another_organ_is_trained_on_its_own_planes(tmp_path: Path) -> None:
    """A spinal canal's way: patches about itself in training, the other organ's box in use."""
    fit_and_export(
        small(name="Parotid_R", organs=["Parotid_R"], steps=1), tmp_path / "w", tmp_path / "m"
    )
    about = small(region="organ", source="Parotid_R", grow_mm=20.0, steps=1)
    fit_and_export(about, tmp_path / "w", tmp_path / "m")
    card = ModelStore.open(tmp_path / "m", device="cpu").card("Parotid_L")
    assert (card.region_from.source, card.region_from.organ) == ("organ", "Parotid_R")
    assert card.region_from.grow_mm == 20.0


def test_an_exported_localizer_serves(tmp_path: Path) -> None:
    localizer = small(
        name="localizer",
        role="localizer",
        organs=list(ORGANS),
        spacing_mm=[5, 5, 5],
        patch_mm=[0, 160, 160],
        steps=2,
    )
    fit_and_export(localizer, tmp_path / "work", tmp_path / "models")
    store = ModelStore.open(tmp_path / "models", device="cpu")
    assert set(localize(volume_of(patient(99)), store)) == set(ORGANS)


def test_an_export_that_disagrees_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = small(steps=1)
    train(sampler_for(CASES, configuration), configuration, tmp_path / "work" / "Parotid_L")
    monkeypatch.setattr("oarflow.training.export.model_folder.greatest_difference", lambda *_: 0.1)
    with pytest.raises(Fault, match=r"differs by 0\.1"):
        fit_and_export(configuration, tmp_path / "work", tmp_path / "models")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(("system", "organs"), [(EVERYTHING, ORGANS), (ENCODER, ORGANS[:1])])
def test_each_systems_export_runs_in_the_application(
    system: dict[str, Any],
    organs: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("oarflow.training.tuning.validation.SAMPLES", 4)
    configuration = small(**system | {"steps": 2})
    train(
        sampler_for(PARTLY_LABELLED, configuration),
        configuration,
        tmp_path / "work",
        validation=validation_sampler(PARTLY_LABELLED, configuration),
    )
    export(
        configuration,
        tmp_path / "work",
        tmp_path / "models",
        origin=TrainingOrigin("none", 3),
        version="1",
    )
    store = ModelStore.open(tmp_path / "models", device="cpu")
    assert store.organs == organs
    unseen = patient(99)
    found = {organ: true_localization(unseen, organ, torch.zeros(3).numpy()) for organ in organs}
    for organ in organs:
        result = Segmenter(volume_of(unseen), found, store).segment(organ)
        # Two steps teach nothing: nonsense or nothing is found, but by no error.
        assert "the network ended in an error" not in result.flags
        assert result.status in (Status.SEGMENTED, Status.TRUNCATED, Status.FAILED)
        assert result.model is not None
