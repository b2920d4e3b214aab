"""The benchmark at a tiny size."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.datasets.as_dicom import write_ct
from oarflow.evaluation.benchmarks.sliding_window import (
    build,
    resampled_shape,
    time_pass,
    window_count,
)
from oarflow.evaluation.benchmarks.stages import TimedStudy, benchmark
from tests.oarflow.evaluation.cases import made_up, recorded_run


def test_windows_counted_by_hand() -> None:
    # 112 and 96 steps; z: 90 = 40 + 20 + 20 + 10, so 4; y: 512 needs 4; x: 512 needs 5.
    assert window_count((90, 512, 512)) == 4 * 4 * 5
    assert window_count((40, 224, 192)) == 1


def test_a_volume_is_never_smaller_than_a_window() -> None:
    assert resampled_shape((186, 512, 512), (1.4516129, 0.998, 0.998)) == (90, 511, 511)
    assert resampled_shape((10, 512, 512), (3.0, 0.2, 1.0)) == (40, 224, 512)


def test_the_network_has_the_size_it_is_said_to_have() -> None:
    network = build()
    weights = sum(weight.numel() for weight in network.parameters())
    assert 25e6 < weights < 35e6


def test_a_pass_is_scaled_from_the_windows_that_were_timed() -> None:
    found = time_pass((16, 64, 64), 2, "cpu", window=(8, 32, 32), channels=(4, 8, 8))
    assert len(found.window_seconds) == 2
    assert found.windows == 27
    low, high = sorted(found.window_seconds)
    assert found.seconds == pytest.approx((low + high) / 2 * 27)


def test_the_page_says_what_was_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ct(made_up(), tmp_path / "ct")
    monkeypatch.setattr("oarflow.evaluation.benchmarks.stages.run_application", recorded_run)
    study = TimedStudy(tmp_path / "ct", None, tmp_path, 0, 0, 1, (8, 32, 32), (4, 8, 8))
    page = benchmark(study, runs=3, command="oarflow evaluate benchmark")
    assert "| localize | 2.0 |" in page
    assert "| **whole run, from start to end** | **10.0** |" in page
    assert "Peak memory 1.00 GB" in page
    assert "from the median of 1 timed windows" in page
    assert "estimate" in page
