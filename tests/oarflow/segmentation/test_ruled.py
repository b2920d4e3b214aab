"""Rules in the segmenter: status and flags as for networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.networks import rule_card
from oarflow.networks.rule_card import RuleCard
from oarflow.networks.store import ModelStore
from oarflow.rules.rule import NotOutlined, Outlined, RuleInput
from oarflow.segmentation import ruled
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import ProbabilityField, Side, Status
from tests.oarflow.chain import save_models
from tests.oarflow.rules.bodies import volume_of

VOLUME = volume_of(np.zeros((6, 20, 20)), (3.0, 2.0, 2.0))
FIELD = ProbabilityField(np.ones((6, 4, 4), dtype=np.float32), (0, 3, 3))
ODD = Flag.of(FlagCode.RULE_FOUND_NOTHING, reason="there is no air")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_models(tmp_path_factory.mktemp("m") / "models")


def contoured(
    models: Path, monkeypatch: pytest.MonkeyPatch, found: Outlined | NotOutlined | Exception
) -> Segmenter:
    def rule(given: RuleInput) -> Mapping[str, Outlined | NotOutlined]:
        if isinstance(found, Exception):
            raise found
        return {"External": found, "Parotid_L": found}

    monkeypatch.setattr(ruled, "RULES", {"external": rule})
    monkeypatch.setattr(rule_card, "ORGANS", {"external": ("External", "Parotid_L")})
    card = RuleCard.model_validate(
        {
            "name": "x",
            "version": "1",
            "role": "rule",
            "rule": "external",
            "organs": ["External", "Parotid_L"],
        }
    )
    store = ModelStore.open(models, device="cpu")
    store.rules["External"] = card
    return Segmenter(VOLUME, {}, store)


def test_a_rule_takes_precedence_over_a_network(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = contoured(models, monkeypatch, Outlined(FIELD))
    result = segmenter.segment("Parotid_L")
    assert result.status is Status.SEGMENTED
    assert result.model is not None
    assert result.model.rule
    assert result.slices == 6
    assert result.volume_cc == pytest.approx(6 * 16 * 12 / 1000)
    assert [card.role for card in segmenter.networks] == ["rule"]


@pytest.mark.parametrize(
    ("found", "status", "flags"),
    [
        (Outlined(FIELD, flags=(ODD,)), Status.SUSPICIOUS, (ODD,)),
        (
            Outlined(FIELD, frozenset({Side.LEFT})),
            Status.TRUNCATED,
            (Flag.of(FlagCode.FIELD_OF_VIEW, sides=["left"]),),
        ),
        (NotOutlined(Status.ABSENT, ODD), Status.ABSENT, (ODD,)),
        (ValueError("broken"), Status.FAILED, (Flag.of(FlagCode.RULE_ERROR),)),
    ],
)
def test_statuses(
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: Outlined | NotOutlined | Exception,
    status: Status,
    flags: tuple[Flag, ...],
) -> None:
    result = contoured(models, monkeypatch, found).segment("External")
    assert (result.status, result.flags) == (status, flags)
