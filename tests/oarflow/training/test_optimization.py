"""Rates fall as they should; a training with everything goes on where it stopped; it is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from oarflow.flags.codes import FlagCode
from oarflow.networks.store import ModelStore
from oarflow.segment import segment_organ
from oarflow.structures import Status
from oarflow.training.checkpoint import Origin
from oarflow.training.curves import CURVES_NAME, VALIDATION_NAME
from oarflow.training.export import export
from oarflow.training.loop import CHECKPOINT_NAME, train
from oarflow.training.optimization import Schedule, optimizer
from oarflow.training.samplers import sampler_for, validation_sampler
from oarflow.training.tuning import true_localization, volume_of
from tests.oarflow.training.patients import ORGANS, patient, small

EVERYTHING: dict[str, Any] = {
    "name": "both",
    "organs": list(ORGANS),
    "architecture": "unet",
    "activation": "softmax",
    "sampling": "whole_slices",
    "augmentation": "deformation",
    "region": "slice",
    "normalize": True,
    "offsets_mm": [0],
    "patch_mm": [0, 192, 192],
    "losses": {"focal": 1, "dice": 1, "boundary": 0.01},
    "mixup": "weighted",
    "optimizer": "adam",
    "schedule": "plateau",
    "patience": 1,
    "validate_every": 2,
    "keep": "best",
    "average": 0,
    "blocks": [],
    "steps": 8,
    "batch": 2,
}
ENCODER: dict[str, Any] = {
    "architecture": "encoder_unet",
    "backbone": "seresnet34",
    "widths": [4, 4, 4, 8, 8],
    "decoder_widths": [8, 4, 4, 4, 4],
    "blocks": [],
    "sampling": "labelled_slices",
    "augmentation": "none",
    "losses": {"dice": 1},
    "encoder_dropout": 0.5,
    "decoder_dropout": 0.2,
    "offsets_mm": [0],
    "patch_mm": [0, 128, 128],
    "steps": 4,
}
CASES = [patient(1), patient(2, organs=("Parotid_R",)), patient(3)]


def schedule(**changes: object) -> Schedule:
    configuration = small(**{"steps": 100, "learning_rate": 0.1, "validate_every": 1} | changes)
    return Schedule(optimizer(nn.Linear(1, 1), configuration), configuration)


def test_the_rate_is_halved_after_so_many_validations_without_a_better_dice() -> None:
    halving = schedule(schedule="plateau", patience=3)
    rates = []
    for dice in (0.5, 0.6, 0.6, 0.55, 0.6, 0.7, 0.1, 0.1, 0.1):
        halving.after_validation(dice)
        rates.append(halving.rate)
    assert rates == pytest.approx([0.1] * 4 + [0.05] * 4 + [0.025])


@pytest.mark.parametrize(
    ("kind", "first", "middle", "last"),
    [
        ("constant", 0.1, 0.1, 0.1),
        ("polynomial", 0.1, 0.1 * 0.5**0.9, 0.1 * 0.01**0.9),
        ("cosine", 0.01, 0.05, 0.001),
    ],
)
def test_rates_by_the_step(kind: str, first: float, middle: float, last: float) -> None:
    some = schedule(schedule=kind)
    for step, rate in ((0, first), (50, middle), (99, last)):
        some.before_step(step)
        assert some.rate == pytest.approx(rate)


def test_a_stopped_training_with_everything_goes_on_to_the_same_network(tmp_path: Path) -> None:
    configuration = small(**EVERYTHING)

    def go(folder: str, limit_s: float | None) -> int:
        outcome = train(
            sampler_for(CASES, configuration),
            configuration,
            tmp_path / folder,
            validation=validation_sampler(CASES, configuration),
            limit_s=limit_s,
        )
        return outcome.steps

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oarflow.training.validation.SAMPLES", 4)
        assert go("whole", None) == 8
        clock = iter(range(0, 1000, 10))
        patch.setattr("oarflow.training.loop.time.monotonic", lambda: next(clock))
        assert 0 < go("halves", 35) < 8
        assert go("halves", None) == 8
    one, other = (
        torch.load(tmp_path / name / CHECKPOINT_NAME, weights_only=True)
        for name in ("whole", "halves")
    )
    for part in ("network", "average", "best"):
        for first, second in zip(one[part].values(), other[part].values(), strict=True):
            torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)
    assert one["schedule"] == other["schedule"]
    for name in ("whole", "halves"):
        lines = (tmp_path / name / VALIDATION_NAME).read_text().splitlines()
        assert [line.split(",")[0] for line in lines] == ["step", "2", "4", "6", "8"]
        assert (tmp_path / name / CURVES_NAME).read_bytes().startswith(b"\x89PNG")


def test_a_training_that_validates_needs_patients_for_it(tmp_path: Path) -> None:
    configuration = small(**EVERYTHING)
    with pytest.raises(ValueError, match="needs patients"):
        train(sampler_for(CASES, configuration), configuration, tmp_path)
    with pytest.raises(ValueError, match="validate_every"):
        small(keep="best")
    with pytest.raises(ValueError, match="steps or epochs"):
        small(steps=0)


@pytest.mark.parametrize(("system", "organs"), [(EVERYTHING, ORGANS), (ENCODER, ORGANS[:1])])
def test_each_systems_export_runs_in_the_application(
    system: dict[str, Any],
    organs: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("oarflow.training.validation.SAMPLES", 4)
    configuration = small(**system | {"steps": 2})
    train(
        sampler_for(CASES, configuration),
        configuration,
        tmp_path / "work",
        validation=validation_sampler(CASES, configuration),
    )
    export(
        configuration, tmp_path / "work", tmp_path / "models", origin=Origin("none", 3), version="1"
    )
    store = ModelStore.open(tmp_path / "models", device="cpu")
    assert store.organs == organs
    unseen = patient(99)
    found = {organ: true_localization(unseen, organ, torch.zeros(3).numpy()) for organ in organs}
    for organ in organs:
        result = segment_organ(volume_of(unseen), organ, found, store)
        # Two steps teach nothing: nonsense or nothing is found, but by no error.
        assert FlagCode.NETWORK_ERROR not in [flag.code for flag in result.flags]
        assert result.status in (Status.SEGMENTED, Status.TRUNCATED, Status.FAILED)
        assert result.model is not None
