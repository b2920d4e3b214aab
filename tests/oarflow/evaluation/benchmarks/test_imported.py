"""The benchmark of imported networks at a tiny size."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from oarflow.evaluation.benchmarks import imported
from oarflow.evaluation.benchmarks.imported import (
    NNUNET,
    SIZES,
    NetworkSize,
    TimedProgram,
    benchmark,
    nnunet_python,
    page,
)
from oarflow.evaluation.benchmarks.imported_run import (
    CONFIGURATION,
    Measured,
    fill_with_spheres,
    measured,
)
from oarflow.importing.nnunet.plans import configured
from oarflow.importing.nnunet.unet import build

SHAPE = (40, 60, 60)
TINY = NetworkSize("tiny", "ResidualEncoderUNet", (6.0, 6.0, 6.0), 3, SHAPE, (16, 16, 16), (4, 8))


@pytest.fixture(autouse=True)
def small_ct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imported, "CT_SHAPE", SHAPE)
    monkeypatch.setattr(imported, "SPACING_MM", (4.0, 4.0, 4.0))
    monkeypatch.setattr(imported, "BOX_MM", (140.0, 190.0, 190.0))
    monkeypatch.setattr(imported, "has_bfloat16", lambda: False)


def test_tiles_counted_by_hand() -> None:
    # 24 x 4 mm are 96 mm, one tile of 16 voxels; 36 x 4 mm are 24 voxels: two, half overlapping.
    assert TINY.tiles((24, 24, 24)) == 1
    assert TINY.tiles((36, 24, 36)) == 4


def test_the_networks_have_the_size_of_nnunets_presets() -> None:
    """nnU-Net's ResEnc L has 102 million weights with six stages, its plain U-Net 31 million."""
    for size, least, most in zip(SIZES, (90e6, 25e6), (110e6, 35e6), strict=True):
        network = build(configured(size.plans, CONFIGURATION).architecture, size.heads)
        assert least < sum(weight.numel() for weight in network.parameters()) < most


def test_a_run_contours_every_sphere_and_times_the_tiles_after_the_first() -> None:
    found = measured(TINY.task(SHAPE, 3, box_mm=(140.0, 190.0, 190.0)))
    assert len(found.tile_seconds) == len(found.tile_processor) == 2
    assert min(found.tile_seconds) > 0
    assert found.other_seconds > 0
    assert 3 < found.needed <= TINY.tiles(SHAPE)
    assert measured(TINY.task(SHAPE, 2, box_mm=None)).needed == TINY.tiles(SHAPE)


def test_spheres_have_their_volume_and_do_not_touch() -> None:
    logits = np.zeros((30, 60, 100, 100), dtype=np.float16)
    fill_with_spheres(logits, (2.0, 2.0, 2.0))
    labels = logits.argmax(axis=0)
    for label in range(1, 30):
        assert (labels == label).sum() * 8 == pytest.approx(4 / 3 * np.pi * 16**3, rel=0.05)
    assert ((logits > 0).sum(axis=0) <= 1).all()


def test_each_program_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    (found,) = benchmark((TINY,), 1, 2, tmp_path)
    assert found.program == "OARflow, float32"
    assert [len(run.tile_seconds) for run in found.runs] == [1, 1]
    assert 0.05 < found.peak_memory_gb < 4
    text = page([found], found.runs[0], "make benchmark", with_peer=False)
    assert "nnunetv2 was not timed: there is no environment" in text


def run(tile: float, other: float, memory: float) -> Measured:
    return Measured([tile * 2], [tile], other * 2, other, 4, memory)


def test_medians_are_scaled_and_compared() -> None:
    ours = TimedProgram("net", "OARflow, float32", 4, 1.0, (run(1, 3, 1.0), run(3, 5, 1.5)))
    theirs = TimedProgram("net", NNUNET, 10, 3.0, (run(6, 20, 6.0),))
    assert ours.processor == pytest.approx(2 * 4 + 4)
    assert ours.seconds == pytest.approx(2 * (2 * 4 + 4))
    assert theirs.processor == pytest.approx(6 * 10 + 20 * 3)
    text = page([ours, theirs], run(1, 2, 5.5), "make benchmark", with_peer=True)
    assert "| net | OARflow, float32 | 10.0 | 4.0 |" in text
    assert "5.5 GB" in text


def test_the_environment_is_found(tmp_path: Path) -> None:
    assert nnunet_python(tmp_path) is None
    python = tmp_path / "nnunet" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert nnunet_python(tmp_path) == python
