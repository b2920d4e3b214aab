"""Against two experts: sources and figures by hand, folds by their own networks, the tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from oarflow.compare.scores import Score
from oarflow.datasets.experts import Experts
from oarflow.evaluation.chain.run import CaseScores
from oarflow.evaluation.experts import scores as measured
from oarflow.evaluation.experts.page import markdown
from oarflow.evaluation.experts.scores import (
    CLINIC,
    OARFLOW,
    OBSERVER,
    ExpertScore,
    held_out,
    measure,
    read_scores,
    write_scores,
)
from oarflow.evaluation.scoring.outcomes import OrganOutcome
from oarflow.geometry import Grid
from oarflow.types import Mask
from tests.oarflow.datasets.made_up_experts import BOX, CORD, SHAPE, write_experts

DRAWN = {"Parotid-Rt": 1.0, "Submandibular-Lt": 1.0, "Mandible": 1.0}


def flagged(patient: str) -> OrganOutcome:
    """The right parotid, with a flag that counts and one that does not."""
    score = Score(patient, "Parotid_R", *(1.0 for _ in range(12)))
    return OrganOutcome(score, "uncertain", ("END_SHORT", "FIELD_OF_VIEW"), False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    """Which models folder contoured whom; the application draws the box of every parotid."""
    seen: list[tuple[str, tuple[str, ...]]] = []

    def evaluate(
        cases: Mapping[str, object], ids: Sequence[str], models: Path, cache: Path, **_: object
    ) -> list[CaseScores]:
        seen.append((models.name, tuple(ids)))
        cache.mkdir(parents=True, exist_ok=True)
        for one in ids:
            (cache / f"{one}.dcm").touch()
        return [CaseScores(one, 0, None, 1.0, 1.0, (flagged(one),)) for one in ids]

    def read(path: Path, grid: Grid) -> dict[str, Mask]:
        mask = np.zeros(SHAPE, dtype=bool)
        mask[BOX] = True
        assert grid.shape[0] == len(mask[1:11])
        return {"Parotid_R": mask[1:11]}

    monkeypatch.setattr(measured, "evaluate", evaluate)
    monkeypatch.setattr(measured, "contours_folder", lambda _, cache, config: cache)
    monkeypatch.setattr(measured, "read_masks", read)
    return seen


def models_of(folder: Path) -> Path:
    for organ in ("Parotid_R", "Glnd_Submand_L", "SpinalCord"):
        (folder / organ).mkdir(parents=True)
        card = {
            "name": organ,
            "version": "1",
            "sha256": "0",
            "role": "segmenter",
            "organs": [organ],
        }
        (folder / organ / "model.json").write_text(json.dumps(card))
    return folder


def test_figures_worked_out_by_hand(
    tmp_path: Path, asked: list[tuple[str, tuple[str, ...]]]
) -> None:
    data = Experts(write_experts(tmp_path, {"pt_3": DRAWN}))
    found = measure(data, [models_of(tmp_path / "models")], tmp_path / "cache")
    assert asked == [("models", ("pt_3",))]
    dice = {(one.organ, one.source): round(one.dice, 3) for one in found}
    # The mandible has no network here. The clinic's contours have no submandibular gland, and the
    # application did not find it. The second expert leaves out one column of six: 2 * 5 / (5 + 6).
    assert dice == {
        ("Parotid_R", OARFLOW): 1.0,
        ("Parotid_R", CLINIC): 1.0,
        ("Parotid_R", OBSERVER): 0.909,
        ("Glnd_Submand_L", OARFLOW): 0.0,
        ("Glnd_Submand_L", OBSERVER): 0.909,
    }
    second = next(one for one in found if one.source == OBSERVER)
    assert second.reference_cc == pytest.approx(5 * 6 * 6 * 48 / 1000)
    assert second.volume_cc == pytest.approx(5 * 6 * 5 * 48 / 1000)
    assert second.hd95_mm == 4.0
    assert second.surface_dice_2 < second.surface_dice_3 < 1  # beside its own corners, 3 mm off
    path = tmp_path / "experts.csv"
    write_scores(path, found)
    read = read_scores(path)
    assert [(one.patient, one.organ, one.source) for one in read] == [
        (one.patient, one.organ, one.source) for one in found
    ]
    page = markdown(found, (), patients="1 patient", command="c", date="d", before=found)
    assert "| Parotid_R | 1 | 1.000 | 1.000 | 0.909 |" in page
    assert "| Glnd_Submand_L | 1 | 0.000 | - | 0.909 |" in page
    assert "| **mean of organs** | | 1.000 | 1.000 | 0.909 |" in page
    assert "| pt_3 | Glnd_Submand_L | OARflow | 0.000 | inf |" in page
    flags = {(one.organ, one.source): one.flags for one in read}
    assert flags.pop(("Parotid_R", OARFLOW)) == ("END_SHORT",)
    assert set(flags.values()) == {()}
    assert "| Parotid_R | 1 of 1 (100.0%; 2.5% to 100.0%) | none | none |" in page
    assert "| Glnd_Submand_L | none | none | 0 of 1 (0.0%; 0.0% to 97.5%) |" in page
    assert "| Parotid_R | 1 | 1.000 | 1.000 | +0.000 | 0 | 1.000 |" in page


def test_the_cord_is_compared_on_the_published_slices(
    tmp_path: Path, asked: list[tuple[str, tuple[str, ...]]]
) -> None:
    data = Experts(write_experts(tmp_path, {"pt_3": {CORD: 0.5}}))
    found = measure(data, [models_of(tmp_path / "models")], tmp_path / "cache")
    assert [(one.organ, one.source) for one in found] == [
        ("SpinalCord", OARFLOW),
        ("SpinalCord", OBSERVER),
    ]
    # The cord has 6 x 6 voxels of 3 x 4 x 4 mm on all 12 slices. 10 slices were published.
    assert [one.reference_cc for one in found] == pytest.approx([10 * 6 * 6 * 48 / 1000] * 2)
    assert found[1].volume_cc == pytest.approx(10 * 6 * 5 * 48 / 1000)


def test_each_fold_is_contoured_by_networks_that_did_not_see_it(
    tmp_path: Path, asked: list[tuple[str, tuple[str, ...]]]
) -> None:
    data = Experts(write_experts(tmp_path, {f"pt_{k}": DRAWN for k in (1, 2, 3, 4)}))
    folders = [models_of(tmp_path / name) for name in ("one", "two")]
    found = measure(data, folders, tmp_path / "cache", organs=["Parotid_R"])
    assert asked == [("one", held_out(data, 1, 2)), ("two", held_out(data, 2, 2))]
    assert sorted((*held_out(data, 1, 2), *held_out(data, 2, 2))) == [
        "pt_1",
        "pt_2",
        "pt_3",
        "pt_4",
    ]
    assert [one.patient for one in found if one.source == OARFLOW] == [
        f"pt_{k}" for k in range(1, 5)
    ]
    for number in (1, 2):
        fitted = {one.split("-")[0] for one in data.split().fold(number, 2).fit}
        assert not fitted & set(held_out(data, number, 2))


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("case,organ\n")
    with pytest.raises(ValueError, match="columns"):
        read_scores(path)


def test_a_difference_is_tested_by_patient() -> None:
    def score(patient: int, dice: float) -> ExpertScore:
        return ExpertScore(f"pt_{patient}", "Parotid_R", OARFLOW, dice, 1.0, 1.0, 1.0, 1.0, 1.0)

    before = [score(k, 0.7) for k in range(8)]
    now = [score(k, 0.8 + k / 100) for k in range(8)]
    page = markdown(now, (), patients="", command="", date="", before=before)
    assert "| Parotid_R | 8 | 0.700 | 0.835 | +0.135 | 8 | 0.008 |" in page
