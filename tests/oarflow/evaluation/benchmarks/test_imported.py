"""The benchmark of imported networks at a tiny size."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from oarflow.evaluation.benchmarks.imported import (
    SIZES,
    NetworkSize,
    TimedTiles,
    benchmark,
    nnunet_python,
    page,
)
from oarflow.evaluation.benchmarks.imported_tiles import CONFIGURATION, timed
from oarflow.importing.nnunet.plans import configured
from oarflow.importing.nnunet.unet import build

TINY = NetworkSize("tiny", "ResidualEncoderUNet", (3.0, 3.0, 3.0), 3, (16, 16, 16), (4, 8))


def test_tiles_counted_by_hand() -> None:
    # 48 mm are one tile of 16 voxels; 72 mm are 24 voxels: two tiles, half overlapping.
    assert TINY.tiles((48.0, 48.0, 48.0)) == 1
    assert TINY.tiles((72.0, 48.0, 72.0)) == 4


def test_the_networks_have_the_size_of_nnunets_presets() -> None:
    """nnU-Net's ResEnc L has 102 million weights with six stages, its plain U-Net 31 million."""
    for size, least, most in zip(SIZES, (90e6, 25e6), (110e6, 35e6), strict=True):
        network = build(configured(size.plans, CONFIGURATION).architecture, size.heads)
        assert least < sum(weight.numel() for weight in network.parameters()) < most


def test_tiles_after_the_first_are_timed() -> None:
    found = timed(configured(TINY.plans, CONFIGURATION), TINY.heads, 3, bfloat16=False)
    assert len(found) == 3
    assert min(found) > 0


def test_each_program_runs_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oarflow.evaluation.benchmarks.imported.has_bfloat16", lambda: False)
    (found,) = benchmark((TINY,), 2, tmp_path)
    assert found.program == "OARflow, float32"
    assert len(found.seconds) == 2
    assert 0.05 < found.peak_memory_gb < 4
    text = page([found], "make benchmark", with_peer=False)
    assert "nnunetv2 was not timed: there is no environment" in text


def test_the_environment_is_found_and_the_median_scaled(tmp_path: Path) -> None:
    assert nnunet_python(tmp_path) is None
    python = tmp_path / "nnunet" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert nnunet_python(tmp_path) == python
    assert TimedTiles("a", "b", (1.0, 2.0, 9.0), 10, 1.0).whole == pytest.approx(20.0)
