"""Learning rates fall as they should."""

from __future__ import annotations

import pytest
from torch import nn

from oarflow.training.optimization.optimizers import optimizer
from oarflow.training.optimization.schedule import Schedule
from tests.oarflow.training.patients import small


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
