"""C2F's, TWOSTEP's and HANSEG's networks: few steps, exported, run by the serving code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from oarflow.flags.codes import FlagCode
from oarflow.localize import localize
from oarflow.networks.card import SURE_SCORE, Channel, Role, View
from oarflow.networks.store import ModelStore
from oarflow.segment import Segmenter
from oarflow.structures import Localization, Status
from oarflow.training.architectures import build_network
from oarflow.training.architectures.dyn_unet import SupervisedUNet
from oarflow.training.checkpoint import Origin
from oarflow.training.comparisons import (
    DICE,
    FUSION,
    STEPS,
    page,
    step_scores,
    together,
    view_scores,
    write_rows,
)
from oarflow.training.configuration import Configuration, read_configuration, shipped
from oarflow.training.export import export
from oarflow.training.fusion import (
    Drawn,
    Fusion,
    _fit,
    _surface,
    export_fusion,
    fit_fusion,
    sure_score,
    view_surfaces,
    write_sure_score,
)
from oarflow.training.labels import Labels
from oarflow.training.loop import train
from oarflow.training.losses import generalized_dice, objective, weighted_cross_entropy
from oarflow.training.regions import RegionSampler, box_about
from oarflow.training.samplers import sampler_for
from oarflow.training.tuning import true_localization, volume_of
from tests.oarflow.systems import WINDOW, Everywhere, Near, write_model
from tests.oarflow.training.patients import ORGANS, patient, small

MADE_UP = Origin("made up", 2)
KNOWN = torch.ones(1, 1, dtype=torch.bool)


def view(name: str, **changes: object) -> Configuration:
    patch = {"axial": [0, 96, 96], "coronal": [96, 0, 96], "sagittal": [96, 96, 0]}[name]
    values: dict[str, object] = {
        "name": f"view_{name}",
        "role": "coarse view",
        "view": name,
        "organs": list(ORGANS),
        "offsets_mm": [0],
        "patch_mm": patch,
        "spacing_mm": [6, 6, 6],
        "architecture": "se_unet",
        "blocks": [],
        "activation": "softmax",
        "losses": {"weighted_cross_entropy": 1.0},
        "steps": 3,
    }
    return small(**(values | changes))


def region(**changes: object) -> Configuration:
    values: dict[str, object] = {
        "name": "region",
        "dimensions": 3,
        "organs": ["Mandible_Ramus_L", "Mandible_Ramus_R"],
        "labels": {"Mandible_Ramus_L": "Parotid_R", "Mandible_Ramus_R": "Parotid_R"},
        "images": ["ct", "side"],
        "region": "organ",
        "source": "Parotid_L",
        "grow_mm": 17,
        "patch_mm": [48, 64, 64],
        "spacing_mm": [4, 4, 4],
        "architecture": "dyn_unet",
        "widths": [4, 8, 8],
        "blocks": [],
        "optimizer": "sgd",
        "schedule": "polynomial",
        "batch": 2,
        "steps": 2,
    }
    return small(**(values | changes))


def test_every_shipped_configuration_of_the_three_systems_is_valid() -> None:
    names = {name: organs for name, _, organs in shipped()}
    for name in ("c2f_axial", "c2f_coronal", "c2f_sagittal", "twostep_gland", "twostep_organs"):
        assert read_configuration(name).name == name
    for organ in names["c2f_fine"]:
        assert read_configuration(f"c2f_fine/{organ}").dimensions == 3
    assert names["twostep_each"] == names["c2f_fine"]
    hanseg = read_configuration("hanseg")
    assert (len(hanseg.organs), hanseg.in_channels) == (30, 2)


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
    surfaces = view_surfaces(cases, store)
    assert set(surfaces) == {(organ, view) for organ in ORGANS for view in View}
    rows = list(view_scores(cases[:1], store, surfaces))
    assert {row[2] for row in rows} == {"axial", "coronal", "sagittal", FUSION}
    assert "| Parotid_L | 1 |" in page({DICE: rows}, "views", "a command", "about")


def test_both_sides_together_are_a_patient_s_mean() -> None:
    rows = [("a", "L", "one", 0.5), ("a", "R", "one", 0.7), ("b", "L", "one", 0.1)]
    made = together(rows, "both")
    assert [row[:3] for row in made] == [("a", "both", "one"), ("b", "both", "one")]
    assert [row[3] for row in made] == pytest.approx([0.6, 0.1])


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
    monkeypatch.setattr("oarflow.training.fusion.localize", lambda volume, store: seen)
    store = ModelStore(tmp_path, {}, "cpu")
    assert sure_score([patient(0), patient(1)], store) == expected


def test_a_view_alone_is_cut_where_it_puts_the_surface() -> None:
    """Of voxels said to be 0.9 four in five are outside: the surface lies where half are inside."""
    said = torch.tensor([[0.9]] * 10 + [[0.99]] * 10)
    truth = torch.tensor([1.0] * 2 + [0.0] * 8 + [1.0] * 8 + [0.0] * 2)
    drawn = Drawn(said, truth, torch.ones(20))
    at = _surface(*_fit([drawn], (0,)))
    halfway = torch.sigmoid((torch.logit(torch.tensor(0.9)) + torch.logit(torch.tensor(0.99))) / 2)
    assert at == pytest.approx(float(halfway), abs=0.005)
    against = Drawn(said, 1 - truth, torch.ones(20))
    assert _surface(*_fit([against], (0,))) > 1


def test_the_fusion_begins_as_the_mean_of_log_odds() -> None:
    maps = torch.tensor([0.5, 0.9, 0.1, 0.8, 0.8, 0.8]).reshape(1, 6, 1, 1)
    found = torch.sigmoid(Fusion(2, 3)(maps)).flatten().tolist()
    assert found == pytest.approx([0.5, 0.8], abs=1e-5)


def test_labels_end_at_the_box_of_the_other_organ() -> None:
    """Voxels 10 to 14 of 3 x 4 x 4 mm, grown by 8 mm, by hand.

    z: 28.5 to 43.5 mm become 20.5 to 51.5, centres 21 to 51; y, x: 38 to 58 become 30 to 66,
    centres 32 to 64.
    """
    case = patient(0)
    source = np.zeros(case.ct.shape, dtype=bool)
    source[10:15, 10:15, 10:15] = True
    case = replace(case, masks=Labels({"Parotid_L": source, "Brain": np.ones_like(source)}))
    box = box_about(case, "Parotid_L", 8.0)
    assert [(part.start, part.stop) for part in box] == [(7, 18), (8, 17), (8, 17)]
    kept = case.masks.label("Brain").cut(box).indices
    assert kept.min(axis=0).tolist() == [7, 8, 8]
    assert kept.max(axis=0).tolist() == [17, 16, 16]
    assert len(kept) == 11 * 9 * 9


def test_the_side_and_the_mr_reach_the_network() -> None:
    case = patient(0)
    mr = np.full(case.ct.shape, 750.0, dtype=np.float32)
    paired = replace(case, mr=mr)
    configuration = region(images=["ct", "side", "mr"], augmentation="none", batch=8)
    batch = RegionSampler([paired], configuration).draw(np.random.default_rng(0))
    assert set(batch.inputs[:, 1].unique().tolist()) == {-1.0, 1.0}
    assert batch.inputs[:, 2, 6, 8, 8] == pytest.approx(torch.full((8,), 0.5), abs=1e-4)
    dropped = region(images=["ct", "side", "mr"], mr_dropout=1.0)
    batch = RegionSampler([paired], dropped).draw(np.random.default_rng(0))
    assert set(batch.inputs[:, 2].unique().tolist()) == {-1.0}


def test_a_right_side_is_a_left_one_in_the_mirror() -> None:
    """What is left and right reaches the answer, however much is normalised on the way."""
    network = build_network(region())
    image = torch.randn(1, 1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    left = torch.cat([image, torch.ones_like(image)], dim=1)
    right = torch.cat([image.flip(-1), -torch.ones_like(image)], dim=1)
    for mode in (network.train(), network.eval()):
        both = mode(torch.cat([left, right]))
        assert torch.allclose(both[0], both[1].flip(-1), atol=1e-5)
        assert not torch.allclose(both[0], both[1], atol=0.1)


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
    write_rows({DICE: rows, "recall": [("one", *rows[0][1:])]}, tmp_path / "steps.csv")
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
    assert FlagCode.NETWORK_ERROR not in [flag.code for flag in result.flags]


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
    assert FlagCode.NETWORK_ERROR not in [flag.code for flag in result.flags]


def test_deep_supervision_halves_each_head_s_share() -> None:
    configuration = region(losses={"dice": 1.0})
    loss = objective(configuration)
    targets = torch.zeros(1, 1, 4, 4, 4)
    targets[..., :2] = 1
    good, bad = (targets * 2 - 1) * 20, (1 - targets * 2) * 20
    known = KNOWN
    alone = [float(loss(logits, targets, known)) for logits in (good, bad)]
    both = float(loss(torch.stack((good, bad, bad), dim=1), targets, known))
    assert both == pytest.approx(alone[0] + 0.75 * alone[1], abs=1e-5)


def test_c2f_s_losses_by_hand() -> None:
    """Four voxels, one of them organ; p is 0.5 everywhere."""
    targets = torch.tensor([1.0, 0, 0, 0]).reshape(1, 1, 4, 1)
    logits = torch.zeros(1, 1, 4, 1)
    # weights 3 and 1/3: every term is log 2, whatever its weight
    assert float(weighted_cross_entropy(logits, targets, KNOWN)) == pytest.approx(np.log(2))
    # classes: 3 voxels (weight 1/9) and 1 voxel (weight 1); overlaps 1.5 and 0.5
    overlap = 1.5 / 9 + 0.5
    total = (2 + 3) / 9 + (2 + 1)
    expected = 1 - 2 * overlap / total
    assert float(generalized_dice(logits, targets, KNOWN)) == pytest.approx(expected)
    rare = torch.tensor([0.0, 20, 20, 20]).reshape(1, 1, 4, 1) * -1  # right but for the organ
    assert float(weighted_cross_entropy(rare, targets, KNOWN)) == pytest.approx(
        0.75 * np.log(2), abs=1e-4
    )


def test_the_supervised_network_is_monai_s_dynunet() -> None:
    """The same weights in MONAI's own forward pass give the same heads."""
    from monai.networks.nets.dynunet import DynUNet  # noqa: PLC0415

    torch.manual_seed(0)
    levels, block = 4, torch.randn(1, 2, 16, 16, 16)
    made = DynUNet(
        3, 2, 1, [3] * levels, [1, 2, 2, 2], [2, 2, 2], [4, 6, 8, 10],
        deep_supervision=True, deep_supr_num=2,
    )  # fmt: skip
    own = SupervisedUNet(made)
    with torch.no_grad():
        assert torch.allclose(own.train()(block), made.train()(block), atol=1e-6)
        assert torch.allclose(own.eval()(block), made.eval()(block), atol=1e-6)
