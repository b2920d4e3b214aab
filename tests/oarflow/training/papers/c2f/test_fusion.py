"""C2F's coarse views and their fusion."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from oarflow.networks.card import SURE_SCORE, View
from oarflow.networks.store import ModelStore
from oarflow.segmentation.localizer import localize
from oarflow.structures import Localization
from oarflow.training.data.as_served import volume_of
from oarflow.training.export.model_folder import export
from oarflow.training.fitting.loop import train
from oarflow.training.fitting.record import TrainingOrigin
from oarflow.training.papers.c2f.fusion_fit import (
    VoxelSample,
    fit_fusion,
    fit_weights,
    surface_probability,
    view_thresholds,
)
from oarflow.training.papers.c2f.fusion_model import export_fusion
from oarflow.training.papers.c2f.fusion_network import Fusion
from oarflow.training.papers.c2f.sure_score import sure_score, write_sure_score
from oarflow.training.papers.c2f.view_scores import FUSION, view_scores
from oarflow.training.papers.method_scores import DICE, page
from oarflow.training.samplers.selection import sampler_for
from tests.oarflow.training.configurations import view
from tests.oarflow.training.patients import ORGANS, patient

MADE_UP = TrainingOrigin("made up", 2)


def test_c2f_s_coarse_stage_trains_fuses_and_places_organs_in_the_app(tmp_path: Path) -> None:
    cases = [patient(number) for number in range(2)]
    models = tmp_path / "models"
    for name in ("axial", "coronal", "sagittal"):
        configuration = view(name)
        train(sampler_for(cases, configuration), configuration, tmp_path / "w" / configuration.name)
        work = tmp_path / "w" / configuration.name
        export(configuration, work, models, origin=MADE_UP, version="1.0.0")
    store = ModelStore.open(models, device="cpu")
    export_fusion(fit_fusion(cases, store), store, 2, 1.5)
    store = ModelStore.open(models, device="cpu")
    assert set(localize(volume_of(cases[0]), store)) == set(ORGANS)
    assert store.sure_score == SURE_SCORE
    assert store.fusion is not None
    made = store.fusion.card.training
    assert (made.data, made.cases, made.minutes) == (MADE_UP.data, 2, 1.5)
    write_sure_score(store, 0.7)
    assert ModelStore.open(models, device="cpu").sure_score == 0.7
    surfaces = view_thresholds(cases, store)
    assert set(surfaces) == {(organ, view) for organ in ORGANS for view in View}
    rows = list(view_scores(cases[:1], store, surfaces))
    assert {row[2] for row in rows} == {"axial", "coronal", "sagittal", FUSION}
    assert "| Parotid_L | 1 |" in page({DICE: rows}, "views", "a command", "about")


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.9, 0.8, 0.7, 0.6), 0.7),
        ((0.99, 0.98, 0.97), SURE_SCORE),
        ((0.9, 0.8), SURE_SCORE),
    ],
    ids=["the third", "never above the usual", "too few"],
)
def test_landmarks_are_sure_from_the_score_that_three_reach(
    scores: tuple[float, ...],
    expected: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    organs = ("Larynx", "Parotid_R", "Brainstem", "Bone_Mandible")
    seen = {
        organ: Localization(organ, True, score)
        for organ, score in zip(organs, scores, strict=False)
    }
    seen["Parotid_L"] = Localization("Parotid_L", False, 0.95)
    monkeypatch.setattr(
        "oarflow.training.papers.c2f.sure_score.localize", lambda volume, store: seen
    )
    store = ModelStore(tmp_path, {}, "cpu")
    assert sure_score([patient(0), patient(1)], store) == expected


def test_a_view_alone_is_cut_where_it_puts_the_surface() -> None:
    """Of voxels said to be 0.9 four in five are outside: the surface lies where half are inside."""
    said = torch.tensor([[0.9]] * 10 + [[0.99]] * 10)
    truth = torch.tensor([1.0] * 2 + [0.0] * 8 + [1.0] * 8 + [0.0] * 2)
    drawn = VoxelSample(said, truth, torch.ones(20))
    at = surface_probability(*fit_weights([drawn], (0,)))
    halfway = torch.sigmoid((torch.logit(torch.tensor(0.9)) + torch.logit(torch.tensor(0.99))) / 2)
    assert at == pytest.approx(float(halfway), abs=0.005)
    against = VoxelSample(said, 1 - truth, torch.ones(20))
    assert surface_probability(*fit_weights([against], (0,))) > 1


def test_the_fusion_begins_as_the_mean_of_log_odds() -> None:
    maps = torch.tensor([0.5, 0.9, 0.1, 0.8, 0.8, 0.8]).reshape(1, 6, 1, 1)
    found = torch.sigmoid(Fusion(2, 3)(maps)).flatten().tolist()
    assert found == pytest.approx([0.5, 0.8], abs=1e-5)
