"""Derived labels count on the slices that they cover."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from oarflow.datasets.cases import Case, LazyMasks
from oarflow.datasets.derived.store import DerivedLabels, write_labels
from oarflow.evaluation.limits.reference_dice import derived_labels, dice_with_label
from oarflow.structures import ProbabilityField, Segmentation, Status


def test_derived_labels_count_where_they_cover_slices(tmp_path: Path) -> None:
    """A label on slices 2 to 12 of a CT of 14 slices, without its first and last published."""
    body = np.ones((14, 4, 4), dtype=bool)
    body[[0, 13]] = False
    label = np.zeros((14, 4, 4), dtype=bool)
    label[2:13, :2] = True
    write_labels(tmp_path / "pt_1.npz", DerivedLabels({"Brain": label}, (2, 12)))
    case = Case("pt_1", np.zeros((14, 4, 4), dtype=np.int16), (3.0, 2.0, 2.0),
                LazyMasks((), _none), body)  # fmt: skip
    labels = derived_labels(case, tmp_path)
    assert labels.slices == (1, 11)
    assert labels.masks["Brain"].shape == (12, 4, 4)
    values = np.zeros((12, 4, 4), dtype=np.float32)
    values[:, :2] = 1.0
    brain = Segmentation("Brain", Status.SEGMENTED, ProbabilityField(values, (0, 0, 0)))
    assert dice_with_label(labels, brain) == 1.0, "slice 0 without a label is left out"
    assert dice_with_label(labels, Segmentation("Brain", Status.ABSENT)) == 0.0
    assert dice_with_label(labels, Segmentation("Trachea", Status.ABSENT)) is None
    assert derived_labels(case, None).masks == {}


def test_a_contour_mostly_where_no_label_knows_has_no_dice() -> None:
    label = np.ones((12, 4, 4), dtype=bool)
    item = Segmentation(
        "Brain",
        Status.SEGMENTED,
        ProbabilityField(np.ones((12, 4, 4), dtype=np.float32), (0, 0, 0)),
    )
    assert dice_with_label(DerivedLabels({"Brain": label}, (1, 11)), item) == 1.0
    assert dice_with_label(DerivedLabels({"Brain": label}, (2, 11)), item) is None


def _none(organ: str) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    raise KeyError(organ)
