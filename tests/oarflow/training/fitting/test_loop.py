"""A training goes on where it stopped, and writes its log."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from oarflow.training.fitting.checkpoint import CHECKPOINT_NAME
from oarflow.training.fitting.curves import CURVES_NAME, LOG_NAME, VALIDATION_NAME
from oarflow.training.fitting.loop import train
from oarflow.training.samplers.selection import sampler_for, validation_sampler
from tests.oarflow.training.configurations import EVERYTHING
from tests.oarflow.training.fit_and_export import CASES
from tests.oarflow.training.patients import PARTLY_LABELLED, small


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
        patch.setattr(f"oarflow.training.fitting.loop.{limit}", value)
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


def test_a_stopped_training_with_everything_goes_on_to_the_same_network(tmp_path: Path) -> None:
    configuration = small(**EVERYTHING)

    def go(folder: str, limit_s: float | None) -> int:
        outcome = train(
            sampler_for(PARTLY_LABELLED, configuration),
            configuration,
            tmp_path / folder,
            validation=validation_sampler(PARTLY_LABELLED, configuration),
            limit_s=limit_s,
        )
        return outcome.steps

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oarflow.training.tuning.validation.SAMPLES", 4)
        assert go("whole", None) == 8
        clock = iter(range(0, 1000, 10))
        patch.setattr("oarflow.training.fitting.loop.time.monotonic", lambda: next(clock))
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
        train(sampler_for(PARTLY_LABELLED, configuration), configuration, tmp_path)
    with pytest.raises(ValueError, match="validate_every"):
        small(keep="best")
    with pytest.raises(ValueError, match="steps or epochs"):
        small(steps=0)
