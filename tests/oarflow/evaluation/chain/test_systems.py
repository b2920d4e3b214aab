"""The table of systems: figures worked out by hand, and the command on an imitated application."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from oarflow.commands import main
from oarflow.compare.scores import Score
from oarflow.evaluation.chain.run import CaseScores
from oarflow.evaluation.chain.systems import Size, System, markdown, shared_organs, write_scores
from oarflow.evaluation.scoring.outcomes import OrganOutcome


def scored(case: str, organ: str, dice: float, hd95: float | None = 2.0) -> OrganOutcome:
    volume, distance = (0.0, math.inf) if hd95 is None else (10.0, hd95)
    score = Score(
        case=case,
        organ=organ,
        dsc=dice,
        hd95_mm=distance,
        iou=0.5,
        precision=0.5,
        recall=0.5,
        hd_mm=distance,
        mean_distance_mm=distance,
        surface_dice=0.5,
        added_path_mm=0.0,
        volume_cc=volume,
        reference_cc=10.0,
        dsc_within=dice,
    )
    return OrganOutcome(score, "segmented", (), swapped=False)


def system(name: str, table: dict[str, Sequence[float]], *, missed: bool = False) -> System:
    cases = []
    for number in range(6):
        scores = [scored(f"pt_{number}", organ, values[number]) for organ, values in table.items()]
        if missed and number == 0:
            scores[0] = scored("pt_0", scores[0].organ, 0.0, None)
        cases.append(CaseScores(f"pt_{number}", 0, None, 4.0 + number, 500.0, tuple(scores)))
    return System(name, Size(2, 3_000_000, 41.5), tuple(cases))


FIRST = system("crops", {"Larynx": [0.5, 0.6, 0.7, 0.5, 0.6, 0.7], "Parotid_L": [0.8] * 6})
SECOND = system("slices", {"Larynx": [0.4, 0.45, 0.5, 0.3, 0.35, 0.4], "Parotid_L": [0.8] * 6})


def test_figures_by_hand() -> None:
    page = markdown([FIRST, SECOND], title="T", command="C", date="2026-01-01")
    # Larynx: 0.6 and 0.4; parotid 0.8 in both. Seconds 4 to 9.
    assert "| crops | 2 | 3.00 | 42 | 0.700 | 0.700 | 2.0 | 0 | 6.5 |" in page
    assert "| slices | 2 | 3.00 | 42 | 0.600 |" in page
    assert "| Larynx | 6 | 0.600 ± 0.089 | 0.400 ± 0.071 |" in page
    # Six of six pairs of one sign: p 2/64, corrected for two tests; equal pairs: p 1.
    assert "| Larynx | -0.200 (p 0.062) |" in page
    assert "| Parotid_L | +0.000 (p 1.000) |" in page


def test_a_missed_organ_counts_zero_and_has_no_distance() -> None:
    page = markdown(
        [system("crops", {"Larynx": [0.6] * 6}, missed=True)], title="T", command="C", date="D"
    )
    assert "| crops | 2 | 3.00 | 42 | 0.500 | 0.500 | 2.0 | 1 | 6.5 |" in page
    assert "one system only" in page


def test_systems_without_a_common_organ_are_refused() -> None:
    with pytest.raises(ValueError, match="share no organ"):
        shared_organs([FIRST, system("brain", {"Brain": [0.9] * 6})])


def test_the_command_reads_the_cards_and_writes_page_and_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "pt_201.npz").touch()
    for name in ("one", "two"):
        card = {"parameters": 500_000, "training": {"minutes": 7.0}}
        for network in ("localizer", "Larynx"):
            folder = tmp_path / name / network
            folder.mkdir(parents=True)
            (folder / "model.json").write_text(json.dumps(card))
    found = {"one": FIRST.cases, "two": SECOND.cases}
    monkeypatch.setattr(
        "oarflow.evaluation.commands.chain.evaluate",
        lambda cases, ids, models, cache, config: found[models.name],
    )
    flags = ["--data", str(data), "--output", str(tmp_path / "out")]
    entries = [f"{name}={tmp_path / name}" for name in ("one", "two")]
    assert main(["evaluate", "systems", *entries, *flags]) == 0
    page = (tmp_path / "out" / "systems.md").read_text()
    assert "- one:" not in page
    told = ["--about", "two=RESU, one network for all = organs"]
    assert main(["evaluate", "systems", *entries, *flags, *told]) == 0
    assert (
        "\n- two: RESU, one network for all = organs\n"
        in (tmp_path / "out" / "systems.md").read_text()
    )
    assert main(["evaluate", "systems", *entries, *flags, "--title", "Two of them"]) == 0
    assert (tmp_path / "out" / "systems.md").read_text().startswith("# Two of them\n")
    assert main(["evaluate", "systems", *entries, *flags, "--about", "three=what"]) == 2
    assert "| one | 2 | 1.00 | 14 | 0.700 |" in page
    rows = list(csv.DictReader((tmp_path / "out" / "systems.csv").open()))
    assert len(rows) == 24
    assert rows[0]["system"] == "one"
    assert main(["evaluate", "systems", str(tmp_path / "one"), *flags]) != 0
    write_scores(tmp_path / "again.csv", [FIRST])
