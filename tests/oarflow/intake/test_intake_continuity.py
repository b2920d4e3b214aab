"""Pixels that stand under another slice's header, and sound series that only look like it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import FileDataset

from oarflow.errors import Code, Refusal
from oarflow.intake import read_volume
from tests.phantoms import head, make_series, write_series

SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "openkbp_validation" / "ct"
Series = list[FileDataset]


def sample(part: slice) -> Series:
    return [pydicom.dcmread(path) for path in sorted(SAMPLE.iterdir())[part]]


def refused(folder: Path, series: Series) -> dict[Code, str]:
    write_series(folder, series)
    with pytest.raises(Refusal) as refusal:
        read_volume(folder)
    return {finding.code: finding.detail for finding in refusal.value.findings}


def exchanged(series: Series) -> None:
    """Pixels shuffled within groups of six slices, headers as they were."""
    rng = random.Random(3)
    for start in range(0, len(series), 6):
        group = series[start : start + 6]
        pixels = [dataset.PixelData for dataset in group]
        rng.shuffle(pixels)
        for dataset, content in zip(group, pixels, strict=True):
            dataset.PixelData = content


def swapped(series: Series) -> None:
    """Two slices, 60 mm apart, have changed their pixels."""
    low, high = series[5], series[25]
    low.PixelData, high.PixelData = high.PixelData, low.PixelData


def mirror(*datasets: FileDataset) -> None:
    for dataset in datasets:
        dataset.PixelData = np.ascontiguousarray(dataset.pixel_array[:, ::-1]).tobytes()


def upper_half_mirrored(series: Series) -> None:
    mirror(*series[len(series) // 2 :])


def one_mirrored(series: Series) -> None:
    mirror(series[20])


def halves_exchanged(series: Series) -> None:
    """The upper and the lower half of the stack change places."""
    pixels = [dataset.PixelData for dataset in series]
    half = len(series) // 2
    for dataset, content in zip(series, pixels[half:] + pixels[:half], strict=True):
        dataset.PixelData = content


def brighter(series: Series) -> None:
    series[20].RescaleIntercept = float(series[20].RescaleIntercept) + 200


@pytest.mark.parametrize(
    "damage",
    [exchanged, swapped, upper_half_mirrored, one_mirrored, halves_exchanged, brighter],
    ids=lambda damage: damage.__name__,
)
def test_images_that_do_not_follow_one_another(
    damage: Callable[[Series], None], tmp_path: Path
) -> None:
    series = sample(slice(40, 100))
    damage(series)
    assert set(refused(tmp_path, series)) == {Code.DISCONTINUOUS_SLICES}


def test_the_same_slices_without_damage(tmp_path: Path) -> None:
    write_series(tmp_path, sample(slice(40, 100)))
    assert read_volume(tmp_path).notes == ()


@pytest.mark.parametrize("step", [2, 4], ids=["6 mm", "12 mm"])
def test_thick_slices_follow_one_another(step: int, tmp_path: Path) -> None:
    write_series(tmp_path, sample(slice(0, 112, step)))
    assert read_volume(tmp_path).volume.hu.shape[0] >= 28


def test_one_image_at_two_positions(tmp_path: Path) -> None:
    series = sample(slice(40, 60))
    series[3].PixelData = series[15].PixelData
    found = refused(tmp_path, series)
    assert found[Code.DUPLICATE_CONFLICT] == "1 slices repeat the image of another slice"


def test_blank_slices_may_be_the_same(tmp_path: Path) -> None:
    series = sample(slice(40, 60))
    for dataset in series[-3:]:
        dataset.PixelData = bytes(len(dataset.PixelData))
    write_series(tmp_path, series)
    assert read_volume(tmp_path).volume.hu[-1].max() == -1024


def test_half_a_slice_without_values_in_a_scan_with_air(tmp_path: Path) -> None:
    series = make_series(slices=24)
    pixels = series[12].pixel_array.copy()
    pixels[24:] = 0
    series[12].PixelData = pixels.tobytes()
    found = refused(tmp_path, series)
    assert found == {
        Code.DISCONTINUOUS_SLICES: "1 slices are empty where both neighbours show tissue"
    }


def test_a_masked_scan_cut_to_strips_is_told_of(tmp_path: Path) -> None:
    """Published CTs lost parts of slices: that is remarked, since no air shows what was there."""
    series = sample(slice(40, 60))
    pixels = series[10].pixel_array.copy()
    pixels[pixels.shape[0] // 2 :] = 0
    series[10].PixelData = pixels.tobytes()
    write_series(tmp_path, series)
    assert read_volume(tmp_path).notes == (
        "1 slices have no values where both neighbours show tissue",
    )


@pytest.mark.parametrize(
    ("first", "counts"),
    [(14, (1, 1)), (10, (3, 3)), (4, (2, 5)), (6, (8, 8)), (0, (3, 3)), (25, (2, 3))],
    ids=[
        "neighbours",
        "three for three",
        "unequal",
        "eight for eight",
        "at one end",
        "at the other",
    ],
)
def test_runs_that_changed_places(first: int, counts: tuple[int, int], tmp_path: Path) -> None:
    """Each slice keeps a neighbour of its own; the gate names the runs."""
    series = sample(slice(60, 90))
    pixels = [dataset.PixelData for dataset in series]
    one, other = counts
    end = first + one + other
    pixels[first:end] = pixels[first + one : end] + pixels[first : first + one]
    for dataset, content in zip(series, pixels, strict=True):
        dataset.PixelData = content
    detail = refused(tmp_path, series)[Code.DISCONTINUOUS_SLICES]
    assert f"adjacent runs of {other} and {one} slices fit better" in detail


def test_a_change_of_spacing_is_no_jump(tmp_path: Path) -> None:
    offsets = [*np.arange(12) * 1.0, *(12.0 + np.arange(10) * 5.0)]
    write_series(tmp_path, make_series(offsets_mm=[mm - 30 for mm in offsets]))
    assert read_volume(tmp_path).volume.hu.shape[0] == 22


def test_metal_in_some_slices_is_no_jump(tmp_path: Path) -> None:
    """A dense filling with streaks all through three slices."""

    def filled(x, y, z):  # type: ignore[no-untyped-def]
        hu = head(x, y, z)
        streaks = 250.0 * np.sin(0.7 * x) * (np.abs(y + 30) < 12)
        hu = np.where((np.abs(z - 4) < 4) & (hu > -900), hu + streaks, hu)
        return np.where((x + 20) ** 2 + (y + 30) ** 2 + (z - 4) ** 2 < 16, 3000.0, hu)

    write_series(tmp_path, make_series(anatomy=filled, bits_stored=13))
    assert read_volume(tmp_path).volume.hu.max() > 2000


@pytest.mark.parametrize("intercept", [-1324, -1224, -724, -524])
def test_a_scale_that_is_wrong_as_a_whole(intercept: int, tmp_path: Path) -> None:
    series = sample(slice(40, 60))
    for dataset in series:
        dataset.RescaleIntercept = intercept
    assert "soft tissue is at about" in refused(tmp_path, series)[Code.IMPLAUSIBLE_HU]


def test_a_slope_that_is_wrong(tmp_path: Path) -> None:
    series = sample(slice(40, 60))
    for dataset in series:
        dataset.RescaleSlope = 1.3
    assert "soft tissue is at about" in refused(tmp_path, series)[Code.IMPLAUSIBLE_HU]


@pytest.mark.parametrize("shift", [-30, 30])
def test_scanners_that_differ_are_accepted(shift: int, tmp_path: Path) -> None:
    series = sample(slice(40, 60))
    for dataset in series:
        dataset.RescaleIntercept = -1024 + shift
    write_series(tmp_path, series)
    assert read_volume(tmp_path).volume.hu.shape[0] == 20
