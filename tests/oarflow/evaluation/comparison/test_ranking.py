"""HaN-Seg's ranking on scores small enough to rank by hand."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from oarflow.commands import main
from oarflow.evaluation.comparison.ranking import RankedScore, rank, read_method, text

ORGANS = ("Brainstem", "Larynx")


def method(dsc: float, hd95: float, cases: int = 6, step: float = 0.001) -> dict:
    """Six cases of two organs; values differ a little, so that no two differences are equal."""
    keys = [(f"c{k}", organ) for k in range(cases) for organ in ORGANS]
    return {
        key: RankedScore(dsc + step * n * dsc, hd95 + step * n * hd95) for n, key in enumerate(keys)
    }


def test_three_methods_in_clear_order() -> None:
    found = rank({"poor": method(0.5, 9.0), "best": method(0.9, 2.0), "middle": method(0.7, 4.0)})
    # Twelve pairs that all point one way: p = 2 / 4096, times three pairs, is below 0.05.
    assert [one.method for one in found.methods] == ["best", "middle", "poor"]
    assert [one.dsc.score for one in found.methods] == [2, 1, 0]
    assert [one.hd95.rank for one in found.methods] == [1, 2, 3]
    assert [one.rank for one in found.methods] == [1, 2, 3]
    assert found.pairs == 12


def test_methods_that_do_not_differ_share_their_rank() -> None:
    even = method(0.7, 4.0)
    # Better and worse in turn by amounts of growing size: ranks balance as well as twelve can.
    near = {
        key: RankedScore(one.dsc + 0.01 * (n + 1) * (-1) ** (n // 2 + n), one.hd95_mm)
        for n, (key, one) in enumerate(even.items())
    }
    found = rank({"even": even, "near": near, "poor": method(0.3, 9.0)})
    by_name = {one.method: one for one in found.methods}
    assert by_name["even"].dsc.score == by_name["near"].dsc.score == 1
    assert by_name["even"].dsc.rank == by_name["near"].dsc.rank == 1
    assert by_name["poor"].dsc.rank == 3


def test_bonferroni_counts_the_pairs_of_methods() -> None:
    # Six pairs all one way: p = 2 / 64 = 0.031; with three methods 0.094, no longer significant.
    one, other = (
        {(f"c{k}", "Larynx"): RankedScore(dsc + 0.01 * k * dsc, 3.0) for k in range(6)}
        for dsc in (0.8, 0.6)
    )
    assert rank({"a": one, "b": other}).methods[0].dsc.score == 1
    assert [m.dsc.score for m in rank({"a": one, "b": other, "c": other}).methods] == [0, 0, 0]


def test_an_empty_mask_gets_the_organs_greatest_distance_of_all_methods() -> None:
    one = {("a", "Larynx"): RankedScore(0.8, 3.0), ("b", "Larynx"): RankedScore(0.0, math.inf)}
    other = {("a", "Larynx"): RankedScore(0.7, 11.0), ("b", "Larynx"): RankedScore(0.9, 5.0)}
    more = {("a", "Brainstem"): RankedScore(0.9, 50.0)}
    found = {m.method: m for m in rank({"one": one, "other": other | more}).methods}
    # "one" lacks the brainstem: 50 mm. b Larynx: 11 mm, not the brainstem's 50.
    assert found["one"].hd95.mean == pytest.approx((50 + 3 + 11) / 3)
    assert found["one"].dsc.mean == pytest.approx(0.8 / 3)
    assert (found["one"].empty, found["other"].empty) == (2, 0)
    common = {m.method: m for m in rank({"one": one, "other": other | more}, common=True).methods}
    assert common["one"].hd95.mean == pytest.approx((3 + 11) / 2)
    assert common["one"].empty == 1


def test_an_organ_that_nobody_contoured_has_no_distance() -> None:
    nothing = {("a", "Lips"): RankedScore(0.0, math.inf), ("a", "Larynx"): RankedScore(0.5, 2.0)}
    found = rank({"one": nothing, "other": nothing})
    assert (found.pairs, found.without_distance) == (2, 1)
    assert [m.rank for m in found.methods] == [1, 1]
    assert "1 are left out of HD95" in text(found)


def test_equal_sums_are_parted_by_both_means_or_shared() -> None:
    # No differences are significant with two cases: all ranks are 1, and the means decide.
    def two(dsc: float, hd95: float) -> dict:
        return {(f"c{k}", "Larynx"): RankedScore(dsc, hd95) for k in range(2)}

    ranks = {m.method: m.rank for m in rank({"a": two(0.8, 3.0), "b": two(0.7, 4.0)}).methods}
    assert ranks == {"a": 1, "b": 2}
    # As Mamaa and CHB-QuantIF in the paper: one has the better DSC, the other the better HD95.
    ranks = {m.method: m.rank for m in rank({"a": two(0.8, 4.0), "b": two(0.7, 3.0)}).methods}
    assert ranks == {"a": 1, "b": 1}


def write(path: Path, rows: list[str], head: str = "case,organ,dsc,hd95_mm") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_the_command_names_methods_by_their_folders(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = [f"c{k},Larynx,{0.8 + k / 100},{2 + k / 10}" for k in range(7)]
    poor = [f"c{k},Larynx,{0.5 + k / 50},{6 + k / 3}" for k in range(6)]
    files = [
        write(tmp_path / "good" / "scores.csv", good),
        write(tmp_path / "poor" / "scores.csv", poor, "case,organ,dice,hd95_mm"),
    ]
    with caplog.at_level("INFO"):
        assert main(["evaluate", "rank", *map(str, files), "--output", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "ranking.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["rank"], row["method"], row["empty"]) for row in rows] == [
        ("1", "good", "0"),
        ("2", "poor", "1"),
    ]
    assert "7 cases and organs" in (tmp_path / "out" / "ranking.txt").read_text()
    assert main(["evaluate", "rank", str(files[0]), str(files[0])]) == 2
    assert main(["evaluate", "rank", f"a={files[0]}", f"b={files[0]}"]) == 0
    assert main(["evaluate", "rank", str(files[0])]) == 2


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a,Larynx,80,3"], "not between 0 and 1"),
        (["a,Larynx,x,3"], "line 2: not a number"),
        (["a,Larynx,0.5,3", "a,Larynx,0.5,3"], "line 3: a Larynx is there twice"),
        (["a,Larynx,0.5,-3"], "negative"),
        (["a,Larynx,0.5,3", "a,Lips"], "line 3: it lacks columns"),
        (["a,Larynx,0.5"], "line 2: it lacks columns"),
        ([], "holds no score"),
    ],
)
def test_a_file_that_is_no_scores_is_said(tmp_path: Path, rows: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_method(write(tmp_path / "s.csv", rows))


def test_a_file_as_excel_writes_it(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", ["a,Larynx,0.5,3"], "\ufeffcase,organ,dsc,hd95_mm")
    assert read_method(path) == {("a", "Larynx"): RankedScore(0.5, 3.0)}


def test_blank_and_inf_are_empty_masks(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", ["a,Larynx,0,", "b,Larynx,0.0,inf", "c,Larynx,0,nan"])
    assert all(math.isinf(one.hd95_mm) for one in read_method(path).values())
    with pytest.raises(ValueError, match="needs the columns"):
        read_method(write(tmp_path / "t.csv", ["a,0.5"], "case,dsc"))
