"""What was seen in pictures is applied, and labels come back from disk as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oarflow.datasets.cases import Case
from oarflow.datasets.derived.corrections import Correction, Corrections, Exclusion
from oarflow.datasets.derived.store import (
    DerivedLabels,
    DerivedSet,
    read_labels,
    with_derived,
    write_labels,
)

MASK = np.zeros((6, 5, 7), dtype=np.bool_)
MASK[1:5, 1:3, 1:3] = True
MASK[2, 4, 6] = True


def _change(**given: object) -> Correction:
    return Correction.model_validate({"organ": "Brain", "patient": "pt_1", "reason": "x"} | given)


def test_cuts_keep_the_slice_that_they_name() -> None:
    assert np.flatnonzero(_change(cut_below=2).apply(MASK).any(axis=(1, 2))).tolist() == [2, 3, 4]
    assert np.flatnonzero(_change(cut_above=2).apply(MASK).any(axis=(1, 2))).tolist() == [1, 2]


def test_a_part_is_removed_by_one_of_its_voxels() -> None:
    changed = _change(remove_part=(2, 4, 6)).apply(MASK)
    assert changed.sum() == 16
    with pytest.raises(ValueError, match="not at"):
        _change(remove_part=(0, 0, 0)).apply(MASK)


def test_a_polygon_is_added_on_its_slices_only() -> None:
    square = ((3, 3), (3, 5), (4, 5), (4, 3))
    changed = _change(polygon="add", slices=(2, 3), points=square).apply(MASK)
    assert (changed ^ MASK).sum(axis=(1, 2)).tolist() == [0, 0, 6, 6, 0, 0]


def test_a_correction_makes_one_change() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        _change(cut_below=1, cut_above=3)


def test_a_wrong_table_names_its_entry(tmp_path: Path) -> None:
    table = tmp_path / "table.yaml"
    table.write_text("exclusions:\n  - {organ: Brain, patients: [pt_1]}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"exclusions\.0\.reason"):
        Corrections.read(table)


def test_the_committed_table_can_be_read_and_excludes() -> None:
    Corrections.read()
    table = Corrections(exclusions=(Exclusion(organ="Brain", patients=("pt_1",), reason="cut"),))
    assert table.excluded("Brain", "pt_1") == "cut"
    assert table.excluded("Brain", "pt_2") is None


def test_labels_come_back_with_the_lungs_as_the_two_sides(tmp_path: Path) -> None:
    other = np.roll(MASK, 3, axis=2)
    write_labels(tmp_path / "pt_1.npz", DerivedLabels({"Lung_L": MASK, "Lung_R": other}, (1, 4)))
    labels = read_labels(tmp_path / "pt_1.npz")
    assert labels.slices == (1, 4)
    assert np.array_equal(labels.masks["Lung_L"], MASK)
    assert np.array_equal(labels.masks["Lungs"], MASK | other)


def test_a_case_gets_its_derived_labels_on_the_slices_that_are_whole(tmp_path: Path) -> None:
    write_labels(tmp_path / "pt_1.npz", DerivedLabels({"Brain": MASK}, (1, 4)))
    drawn = np.ones(MASK.shape, dtype=np.bool_)
    case = Case("pt_1", np.zeros(MASK.shape, dtype=np.int16), (3.0, 4.0, 4.0), {"Larynx": drawn})
    both = with_derived(case, tmp_path)
    assert both.ct.shape == (4, 5, 7)
    assert np.array_equal(both.masks["Brain"], MASK[1:5])
    assert both.masks["Larynx"].shape == (4, 5, 7)
    unlabelled = Case("pt_2", case.ct, case.spacing_zyx)
    assert with_derived(unlabelled, tmp_path) is unlabelled


def test_a_set_of_derived_labels_has_those_alone(tmp_path: Path) -> None:
    write_labels(tmp_path / "pt_1.npz", DerivedLabels({"Brain": MASK}, (0, 5)))
    drawn = np.ones(MASK.shape, dtype=np.bool_)
    ct = np.zeros(MASK.shape, dtype=np.int16)
    cases = {name: Case(name, ct, (3.0, 4.0, 4.0), {"Larynx": drawn}) for name in ("pt_1", "pt_2")}
    found = DerivedSet(cases, tmp_path)
    assert list(found) == ["pt_1"]
    assert list(found["pt_1"].masks) == ["Brain"]
    assert np.array_equal(found["pt_1"].masks["Brain"], MASK)
    with pytest.raises(ValueError, match="holds no labels"):
        DerivedSet({"pt_2": cases["pt_2"]}, tmp_path)
