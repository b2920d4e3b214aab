"""Grids whose outermost voxel centres coincide, and whole HU: the steps of TotalSegmentator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import ndimage

from oarflow.compare.overlap import dice
from oarflow.networks.imported.card import IntensityNormalization, SplineResampling
from oarflow.networks.imported.exact import exact_labels
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.segmentation.imported import ImportedOrgans
from oarflow.volume import Volume
from tests.oarflow.chain import sphere_volume
from tests.oarflow.segmentation.imported_networks import write_imported

SPACING = (1.5, 1.7, 2.3)
STEPS: dict[str, Any] = {
    "orientation": "RAS",
    "spacing_mm": SPACING,
    "patch": (80, 76, 70),
    "normalization": IntensityNormalization(low=-2000, high=2000, mean=0.0, std=1.0),
    "image_resampling": SplineResampling(order=1, align="corners"),
    "logits_resampling": SplineResampling(order=0, align="corners"),
    "resampled": "whole hu",
}


class Threshold(torch.nn.Module):
    """Label 1 above 49.5 HU, label 2 below -49.5 HU: 49.7 HU is 49 as a whole number."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        hu = image[:, 0]
        return torch.stack([hu * 0, (hu - 49.5) * 8, (-hu - 49.5) * 8], dim=1)


@pytest.fixture
def volume() -> Volume:
    """Noise and two spheres on a grid of 2 x 1 x 1 mm."""
    made = sphere_volume({"Parotid_L": (40.0, 5.0, 3.0), "Parotid_R": (-41.0, 5.0, 3.0)})
    made.hu[:] += np.random.default_rng(5).normal(0, 40, made.hu.shape).round()
    return made


def labels_of_totalsegmentator(volume: Volume) -> NDArray[np.uint8]:
    """RAS, zoom of order 1, whole numbers, the network, zoom of order 0."""
    ras = volume.hu[:, ::-1, ::-1].astype(np.float64)
    factors = [own / new for own, new in zip((2.0, 1.0, 1.0), SPACING, strict=True)]
    read = ndimage.zoom(ras, factors, mode="nearest", order=1).astype(np.int32)
    labels = np.where(read > 49.5, 1, np.where(read < -49.5, 2, 0)).astype(np.uint8)
    back = [own / new for own, new in zip(ras.shape, labels.shape, strict=True)]
    return ndimage.zoom(labels, back, mode="nearest", order=0)[:, ::-1, ::-1]


def network(folder: Path, **changes: Any) -> ImportedNetwork:
    card = write_imported(folder, Threshold(), **(STEPS | changes))
    return ImportedNetwork(folder / "model.ts", card, "cpu")


def test_exact_labels_are_those_of_totalsegmentators_steps(volume: Volume, tmp_path: Path) -> None:
    expected = labels_of_totalsegmentator(volume)
    found = exact_labels(volume.hu, volume.grid, network(tmp_path / "n"))
    assert found.shape == expected.shape
    assert (expected > 0).mean() > 0.01
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "change",
    [
        {"resampled": "hu"},
        {"image_resampling": SplineResampling(order=3, align="corners")},
        {
            "image_resampling": SplineResampling(order=1),
            "logits_resampling": SplineResampling(order=0),
        },
    ],
    ids=["fractions", "order", "edges"],
)
def test_each_step_matters(change: dict[str, Any], volume: Volume, tmp_path: Path) -> None:
    expected = labels_of_totalsegmentator(volume)
    found = exact_labels(volume.hu, volume.grid, network(tmp_path / "n", **change))
    assert not np.array_equal(found, expected)


def test_fast_inference_lies_on_the_same_grid(tmp_path: Path) -> None:
    """At the CT's edge, grids by edges and by corners are 0.4 voxels apart: the sphere shows it."""
    volume = sphere_volume({"Parotid_L": (62.0, 48.0, 44.0)})
    exact = exact_labels(volume.hu, volume.grid, network(tmp_path / "exact")) == 1
    fast = ImportedOrgans(volume, network(tmp_path / "fast"), {}).field("Parotid_L")
    found = fast.full_mask(volume.grid.shape)
    assert dice(found, exact) > 0.94
    gap = np.argwhere(found).mean(axis=0) - np.argwhere(volume.hu > 50).mean(axis=0)
    assert np.abs(gap).max() < 0.1


def test_grids_and_schemes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="same grids"):
        network(tmp_path / "n", logits_resampling=SplineResampling(order=0))
    with pytest.raises(ValidationError, match="measures the whole image"):
        network(tmp_path / "n", normalization=IntensityNormalization(scheme="zscore"))
