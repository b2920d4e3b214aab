"""The same contours on a GPU, where networks run in half precision, as on the processor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from oarflow.intake import read_volume
from oarflow.networks.store import ModelStore
from oarflow.segmentation.localizer import localize
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Segmentation

ROOT = Path(__file__).resolve().parents[2]

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


def contours(device: str) -> dict[str, Segmentation]:
    volume = read_volume(ROOT / "samples" / "openkbp_validation" / "ct").volume
    store = ModelStore.open(ROOT / "models", device=device)
    segmenter = Segmenter(volume, localize(volume, store), store)
    return {organ: segmenter.segment(organ) for organ in sorted(store.organs)}


@needs_gpu
def test_a_gpu_contours_as_the_processor_does() -> None:
    here, there = contours("cpu"), contours("cuda")
    assert [found.status for found in there.values()] == [found.status for found in here.values()]
    for organ, found in here.items():
        other = there[organ].field
        assert (found.field is None) == (other is None), organ
        if found.field is not None and other is not None:
            assert found.field.dice(other) > 0.99, organ
