"""A training learns, goes on where it stopped, and its export does what the network did."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from oarflow.errors import Fault
from oarflow.localize import localize
from oarflow.networks.card import CARD_NAME, NETWORK_NAME, read_card
from oarflow.networks.store import ModelStore
from oarflow.segment import Segmenter
from oarflow.structures import ProbabilityField, Segmentation, Status
from oarflow.training import cards
from oarflow.training.agreement import agreements
from oarflow.training.architectures import ResidualUNet
from oarflow.training.checkpoint import Origin
from oarflow.training.configuration import Configuration
from oarflow.training.export import (
    UnitedNetwork,
    export,
    greatest_difference,
    rounded,
    torchscript,
)
from oarflow.training.loop import LOG_NAME, build_network, train
from oarflow.training.samplers import sampler_for
from oarflow.training.tuning import score_case, volume_of
from tests.oarflow.training.patients import ORGANS, patient, small

SHIPPED = Path(__file__).resolve().parents[3] / "models"
CASES = [patient(number) for number in range(4)]


def ship(configuration: Configuration, work: Path, models: Path) -> None:
    train(sampler_for(CASES, configuration), configuration, work / configuration.name)
    export(
        configuration,
        work / configuration.name,
        models,
        origin=Origin("made-up patients", len(CASES)),
        version="1.0.0",
    )


def test_a_trained_network_finds_the_organ_of_an_unseen_patient(tmp_path: Path) -> None:
    models = tmp_path / "models"
    ship(
        small(steps=150, batch=6, learning_rate=0.01, widths=[8, 16, 16]), tmp_path / "work", models
    )
    store = ModelStore.open(models, device="cpu")
    scores = {score.organ: score for score in score_case(patient(99), store, jitter_mm=2.0)}
    assert list(scores) == ["Parotid_L"]
    assert scores["Parotid_L"].dice > 0.7


@pytest.mark.parametrize("organs", [ORGANS, ("Parotid_R",)])
def test_two_networks_are_held_against_the_reference_and_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, organs: tuple[str, ...]
) -> None:
    for seed in (1, 2):
        ship(small(steps=1, seed=seed), tmp_path / f"work{seed}", tmp_path / f"models{seed}")
    first, second = (ModelStore.open(tmp_path / f"models{seed}", device="cpu") for seed in (1, 2))
    truth = patient(99).masks["Parotid_L"]
    half = truth.copy()
    half[:, :, truth.any(axis=(0, 1)).argmax() + 3 :] = False
    fields = {first: truth.astype(np.float32), second: half * np.float32(0.6)}

    class Said:
        def __init__(self, case: object, store: ModelStore, places: object) -> None:
            self.field = ProbabilityField(fields[store], (0, 0, 0), 0.5)

        def segment(self, organ: str) -> Segmentation:
            return Segmentation(organ, Status.SEGMENTED, self.field)

    monkeypatch.setattr("oarflow.training.agreement.find_organs", lambda volume, store, also: {})
    monkeypatch.setattr("oarflow.training.agreement.segmenter_of", Said)
    found = dict(agreements(patient(99, organs), first, second))
    if "Parotid_L" not in organs:
        assert found == {}
        return
    share = 2 * half.sum() / (half.sum() + truth.sum())
    agreement = found["Parotid_L"]
    assert (agreement.first, agreement.mean) == (1.0, 1.0)
    assert agreement.second == agreement.each_other == pytest.approx(share)


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
    ship(both, tmp_path / "work", tmp_path / "models")
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
    mask = np.zeros(patient(99).ct.shape, dtype=bool)
    assert field is not None
    mask[field.box] = field.mask
    return mask


def test_a_network_about_another_organ_is_trained_on_its_own_planes(tmp_path: Path) -> None:
    """A spinal canal's way: patches about itself in training, the other organ's box in use."""
    ship(small(name="Parotid_R", organs=["Parotid_R"], steps=1), tmp_path / "w", tmp_path / "m")
    about = small(region="organ", source="Parotid_R", grow_mm=20.0, steps=1)
    ship(about, tmp_path / "w", tmp_path / "m")
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
    ship(localizer, tmp_path / "work", tmp_path / "models")
    store = ModelStore.open(tmp_path / "models", device="cpu")
    assert set(localize(volume_of(patient(99)), store)) == set(ORGANS)


@pytest.mark.parametrize(("limit", "value"), [("CHECKPOINT_EVERY", 4), ("CHECKPOINT_S", 0.0)])
def test_a_stopped_training_goes_on_to_the_same_network(
    tmp_path: Path, limit: str, value: float
) -> None:
    configuration = small(steps=12)
    whole = train(sampler_for(CASES, configuration), configuration, tmp_path / "whole")

    class StopError(Exception):
        pass

    class Stopping:
        def __init__(self) -> None:
            self.sampler = sampler_for(CASES, configuration)
            self.draws = 0

        def draw(self, random):  # type: ignore[no-untyped-def]
            self.draws += 1
            if self.draws > 6:
                raise StopError
            return self.sampler.draw(random)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"oarflow.training.loop.{limit}", value)
        with pytest.raises(StopError):
            train(Stopping(), configuration, tmp_path / "halves")
        assert (tmp_path / "halves" / "checkpoint.pt").exists()
        resumed = train(sampler_for(CASES, configuration), configuration, tmp_path / "halves")
    assert resumed.steps == whole.steps == 12
    for first, second in zip(
        whole.network.state_dict().values(), resumed.network.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


def test_the_log_lies_beside_the_checkpoint(tmp_path: Path) -> None:
    configuration = small(steps=50, batch=1)
    train(sampler_for(CASES, configuration), configuration, tmp_path)
    assert (tmp_path / LOG_NAME).read_text().splitlines()[0] == "step,loss,seconds"
    assert (tmp_path / LOG_NAME).read_text().splitlines()[1].startswith("50,")


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_export_agrees_with_the_network_at_three_sizes(dimensions: int) -> None:
    configuration = small(
        dimensions=dimensions, patch_mm=[96, 96, 96] if dimensions == 3 else [0, 96, 96]
    )
    network = rounded(build_network(configuration).eval())
    file = torchscript(network)
    assert greatest_difference(network, file, configuration) < 1e-4
    with torch.no_grad():
        next(iter(network.parameters())).add_(0.5)
    assert greatest_difference(network, file, configuration) > 1e-3


@pytest.mark.parametrize("folder", sorted(SHIPPED.glob("*/")), ids=lambda folder: folder.name)
def test_a_shipped_network_is_what_its_card_s_configuration_builds(folder: Path) -> None:
    """The weights of the file in the eager network, at three sizes and batches."""
    card = read_card(folder / CARD_NAME)
    file = (folder / NETWORK_NAME).read_bytes()
    configuration = Configuration.model_validate(card.training.configuration)
    network = build_network(configuration)
    if configuration.unions:
        network = UnitedNetwork(network, configuration.organs, configuration.unions)
    network.load_state_dict(torch.jit.load(io.BytesIO(file)).state_dict())
    assert greatest_difference(network.eval(), file, configuration) < 1e-4


def test_an_export_that_disagrees_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = small(steps=1)
    train(sampler_for(CASES, configuration), configuration, tmp_path / "work" / "Parotid_L")
    monkeypatch.setattr("oarflow.training.export.greatest_difference", lambda *_: 0.1)
    with pytest.raises(Fault, match=r"differs by 0\.1"):
        ship(configuration, tmp_path / "work", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_widths_and_blocks_must_match() -> None:
    with pytest.raises(ValueError, match="each resolution"):
        ResidualUNet(2, 1, 1, (4, 8), (1,))


def test_validation_figures_reach_card_and_page(tmp_path: Path) -> None:
    models = tmp_path / "models"
    ship(small(steps=1), tmp_path / "work", models)
    scores = tmp_path / "scores.csv"
    scores.write_text(
        "case,organ,dice,hd95_mm\na,Parotid_L,0.5,4\nb,Parotid_L,0.9,inf\nc,Parotid_L,0.7,6\n"
    )
    cards.record_validation(scores, models, "three made-up patients")
    validation = ModelStore.open(models, device="cpu").card("Parotid_L").validation
    assert validation is not None
    assert validation.n == {"Parotid_L": 3}
    assert validation.figures["Parotid_L"] == {
        "dice_mean": 0.7,
        "dice_median": 0.7,
        "dice_sd": 0.2,
        "dice_min": 0.5,
        "hd95_mm_median": 5.0,
    }
    cards.write_pages(models, tmp_path / "pages")
    page = (tmp_path / "pages" / "Parotid_L.md").read_text()
    assert "| Parotid_L | 3 | 0.700 | 0.700 | 0.200 | 0.500 | 5.000 |" in page
