"""Blocks about another organ, with a side and an MR."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from oarflow.training.data.labels import Labels
from oarflow.training.samplers.regions import RegionSampler, box_about
from tests.oarflow.training.configurations import region
from tests.oarflow.training.patients import patient


def test_labels_end_at_the_box_of_the_other_organ() -> None:
    """Voxels 10 to 14 of 3 x 4 x 4 mm, grown by 8 mm, by hand.

    z: 28.5 to 43.5 mm become 20.5 to 51.5, centres 21 to 51; y, x: 38 to 58 become 30 to 66,
    centres 32 to 64.
    """
    case = patient(0)
    source = np.zeros(case.ct.shape, dtype=bool)
    source[10:15, 10:15, 10:15] = True
    case = replace(case, masks=Labels({"Parotid_L": source, "Brain": np.ones_like(source)}))
    box = box_about(case, "Parotid_L", 8.0)
    assert [(part.start, part.stop) for part in box] == [(7, 18), (8, 17), (8, 17)]
    kept = case.masks.block("Brain").cut(box).indices
    assert kept.min(axis=0).tolist() == [7, 8, 8]
    assert kept.max(axis=0).tolist() == [17, 16, 16]
    assert len(kept) == 11 * 9 * 9


def test_the_side_and_the_mr_reach_the_network() -> None:
    case = patient(0)
    mr = np.full(case.ct.shape, 750.0, dtype=np.float32)
    paired = replace(case, mr=mr)
    configuration = region(images=["ct", "side", "mr"], augmentation="none", batch=8)
    batch = RegionSampler([paired], configuration).draw(np.random.default_rng(0))
    assert set(batch.inputs[:, 1].unique().tolist()) == {-1.0, 1.0}
    assert batch.inputs[:, 2, 6, 8, 8] == pytest.approx(torch.full((8,), 0.5), abs=1e-4)
    dropped = region(images=["ct", "side", "mr"], mr_dropout=1.0)
    batch = RegionSampler([paired], dropped).draw(np.random.default_rng(0))
    assert set(batch.inputs[:, 2].unique().tolist()) == {-1.0}
