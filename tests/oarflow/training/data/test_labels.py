"""Labels held by the blocks that they fill."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from oarflow.training.data.cases import TrainingCase
from oarflow.training.data.labels import LabelBlock, Labels
from oarflow.training.data.resampling import Pose, sample, sample_mask


def corner_and_line() -> dict[str, np.ndarray]:
    """Labels that touch the extent's ends, and one of a single voxel's breadth."""
    corner, line = np.zeros((2, 6, 7, 8), dtype=bool)
    corner[:2, :3, 5:] = True
    line[1:5, 3, 4] = True
    return {"corner": corner, "line": line, "nothing": np.zeros_like(line)}


def test_labels_give_whole_masks_and_leave_empty_ones_out() -> None:
    masks = corner_and_line()
    labels = Labels(masks)
    assert list(labels) == ["corner", "line"]
    assert "nothing" not in labels
    for organ in labels:
        np.testing.assert_array_equal(labels[organ], masks[organ])
        np.testing.assert_array_equal(labels.block(organ).indices, np.argwhere(masks[organ]))
    assert labels.block("line").inside.shape == (6, 3, 3)
    with pytest.raises(ValueError, match="empty mask"):
        LabelBlock.of(masks["nothing"])


@pytest.mark.parametrize("organ", ["corner", "line"])
def test_a_label_is_read_as_its_whole_mask_is(organ: str) -> None:
    random = np.random.default_rng(4)
    spacing = np.array([3.0, 2.0, 1.5])
    masks = corner_and_line()
    case = TrainingCase("a", np.zeros((6, 7, 8), dtype=np.int16), spacing, Labels(masks))
    axes = tuple(np.linspace(-9.0, 9.0, 12) for _ in range(3))
    read = 0.0
    for _ in range(20):
        pose = Pose.random(random.uniform(0, 1, 3) * case.ct.shape * spacing, random)
        whole = sample(masks[organ], spacing, pose, axes, 0.0)
        torch.testing.assert_close(sample_mask(case, organ, pose, axes), whole, atol=1e-5, rtol=0)
        read += float(whole.sum())
    assert read > 0


def test_a_cut_keeps_what_lies_in_the_box() -> None:
    mask = corner_and_line()["corner"]
    box = (slice(1, 4), slice(0, 2), slice(6, 8))
    expected = np.zeros_like(mask)
    expected[box] = mask[box]
    np.testing.assert_array_equal(LabelBlock.of(mask).cut(box).whole(), expected)
    assert not LabelBlock.of(mask).cut((slice(4, 6), slice(4, 6), slice(0, 2))).whole().any()
