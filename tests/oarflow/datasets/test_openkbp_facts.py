"""OpenKBP's Hounsfield scale by patient, and scans that come twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oarflow.datasets.openkbp import OpenKbp, in_hu
from oarflow.datasets.openkbp_facts import added_hu, twins
from oarflow.datasets.split import OPENKBP_SPLIT, Split

VALIDATION = {f"pt_{k}" for k in range(201, 241)}


@pytest.mark.parametrize(("patient", "added"), [("pt_1", 1000), ("pt_9", 976), ("pt_212", 976)])
def test_published_values_are_hu_and_what_was_added(patient: str, added: int) -> None:
    assert added_hu(patient) == added
    published = np.array([[[1030, 1, 0, 4095]]])
    stored = (published - 1024).astype(np.int16)
    body = np.array([[[True, True, False, True]]])
    found = in_hu(stored, body, patient)
    assert found.dtype == np.int16
    assert found.tolist() == [[[1030 - added, 1 - added, -1024, 3071]]]


def test_tissue_has_its_hounsfield_units(shared_data: Path) -> None:
    """Brainstems lie near 33 HU, those of the patients with another scale, too."""
    for part, patients in (("train", ("pt_2", "pt_10", "pt_105")), ("validation", ("pt_212",))):
        cases = OpenKbp(shared_data / "openkbp" / part)
        for patient in patients:
            case = cases[patient]
            assert 20 < np.median(case.ct[case.masks["Brainstem"]]) < 45, patient


def test_twins_are_one_patient_in_every_fold() -> None:
    assert frozenset({"pt_36", "pt_293"}) in twins()
    ids = tuple(f"pt_{k}" for k in (1, 2, 3, 36, 293, 44, 212))
    split = Split(ids, ()).of_openkbp()
    for number in (1, 2, 3):
        part = split.fold(number, 3)
        for pair in twins():
            assert not (pair & set(part.fit) and pair & set(part.tune))
    assert set(split.without(["pt_212"]).fit) == set(ids) - {"pt_212", "pt_44"}


def test_a_twin_that_is_not_there_changes_no_fold() -> None:
    table = Split.read(OPENKBP_SPLIT)
    for number in (1, 2, 3):
        assert table.of_openkbp().fold(number, 3) == table.fold(number, 3)


def test_twins_on_both_sides_are_refused() -> None:
    with pytest.raises(ValueError, match=r"pt_293, pt_36"):
        Split(("36",), ("293",)).of_openkbp()


def test_who_trains_is_no_twin_of_a_validation_patient() -> None:
    trained = set(Split.read(OPENKBP_SPLIT).of_openkbp().patients)
    assert not trained & VALIDATION
    assert not [pair for pair in twins() if pair & trained and pair & VALIDATION]
