"""Exact inference gives every voxel the label that MONAI itself gives it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from oarflow.compare.overlap import dice
from oarflow.importing.bundle.bundle import read_bundle
from oarflow.importing.bundle.convert import convert
from oarflow.importing.statement import Statement
from oarflow.networks.imported.card import OrganLabels
from oarflow.networks.imported.exact import exact_labels
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.segmentation.imported import ImportedOrgans
from tests.oarflow.importing.bundle.bundles import (
    NETWORKS,
    Document,
    configuration,
    ct,
    metadata,
    monai_labels,
    transform,
    write_bundle,
)

MOST_DIFFERENT = 0 if "AVX512" in torch.backends.cpu.get_cpu_capability() else 3
"""Voxels of 16,320 that may differ. MONAI runs two tiles at once and interpolates the three axes
together. On some processors, sums then round differently where two labels are equally probable."""


def imported(folder: Path) -> ImportedNetwork:
    """A bundle's network, exported to a file and loaded from it."""
    bundle = read_bundle(folder)
    statement = Statement("small", bundle.before.orientation)
    content, card = convert(bundle, statement, [OrganLabels(organ="Brainstem", labels=(1,))])
    path = folder / "exported.ts"
    path.write_bytes(content)
    return ImportedNetwork(path, card, "cpu")


def differing(folder: Path, document: Document, heads: int = 4, *, scripted: bool = False) -> int:
    """The number of voxels with another label than MONAI's."""
    network = write_bundle(folder, document, metadata(heads), scripted=scripted)
    expected = monai_labels(document, network, ct())
    assert (np.bincount(expected.ravel()) > 400).sum() >= 2
    found = exact_labels(ct().hu, ct().grid, imported(folder))
    return int((found != expected).sum())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("scripted", [False, True], ids=["weights", "torchscript"])
def test_each_class_gives_the_labels_of_monai(name: str, scripted: bool, tmp_path: Path) -> None:
    assert differing(tmp_path, configuration(name), scripted=scripted) <= MOST_DIFFERENT


def gaussian(document: Document) -> None:
    document["inferer"].update(mode="gaussian", overlap=0.7)


def permuted(document: Document) -> None:
    transform(document, "preprocessing", "Orientationd")["axcodes"] = "SLA"


def same_spacing(document: Document) -> None:
    transform(document, "preprocessing", "Spacingd")["pixdim"] = [1.2, 1.0, 2.5004]


def scaled_before_resampling(document: Document) -> None:
    listed = document["preprocessing"]["transforms"]
    listed.insert(2, listed.pop(4))


def unclipped(document: Document) -> None:
    del transform(document, "preprocessing", "ScaleIntensityRanged")["clip"]


def fixed_z_score(document: Document) -> None:
    document["preprocessing"]["transforms"][4] = {
        "_target_": "NormalizeIntensityd",
        "keys": "image",
        "subtrahend": 20.0,
        "divisor": 60.0,
    }


def not_normalized(document: Document) -> None:
    del document["preprocessing"]["transforms"][4]


def labels_return(document: Document) -> None:
    """Labels and not probabilities return to the CT, by the nearest voxel."""
    listed = document["postprocessing"]["transforms"]
    listed.insert(1, listed.pop(2))
    listed[2]["nearest_interp"] = True


def logits_return(document: Document) -> None:
    del document["postprocessing"]["transforms"][0]


def components(document: Document) -> None:
    document["postprocessing"]["transforms"].insert(
        3, {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [2, 3]}
    )


CHANGES: tuple[Callable[[Document], None], ...] = (
    gaussian,
    permuted,
    same_spacing,
    scaled_before_resampling,
    unclipped,
    fixed_z_score,
    not_normalized,
    labels_return,
    logits_return,
    components,
)


@pytest.mark.parametrize("change", CHANGES)
def test_each_setting_is_followed(change: Callable[[Document], None], tmp_path: Path) -> None:
    document = configuration()
    before = monai_labels(document, write_bundle(tmp_path, document), ct())
    change(document)
    network = write_bundle(tmp_path, document)
    expected = monai_labels(document, network, ct())
    assert (before != expected).sum() > 30, "the setting changes no label"
    found = exact_labels(ct().hu, ct().grid, imported(tmp_path))
    assert int((found != expected).sum()) <= MOST_DIFFERENT


def one_channel() -> Document:
    """A configuration with sigmoid and a threshold."""
    document = configuration(heads=1)
    listed = document["postprocessing"]["transforms"]
    listed[0] = {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}
    listed[2] = {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}
    return document


def test_one_channel_with_a_threshold(tmp_path: Path) -> None:
    assert differing(tmp_path, one_channel(), heads=1) <= MOST_DIFFERENT


@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "AIL"])
def test_monais_own_orientation(axcodes: str, tmp_path: Path) -> None:
    """As above, with Orientationd and its inverse."""
    pytest.importorskip("nibabel")
    document = configuration()
    transform(document, "preprocessing", "Orientationd")["axcodes"] = axcodes
    network = write_bundle(tmp_path, document)
    expected = monai_labels(document, network, ct(), turned=True)
    found = exact_labels(ct().hu, ct().grid, imported(tmp_path))
    assert int((found != expected).sum()) <= MOST_DIFFERENT


class FirstHalf(torch.nn.Module):
    """Label 1 in bright voxels."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.cat([0.5 - image, image - 0.5], dim=1)


@pytest.mark.parametrize("exact", [True, False])
def test_left_stays_left(exact: bool, tmp_path: Path) -> None:
    """A bright block on the patient's left, in front and at the head end stays there."""
    document = configuration(heads=2)
    write_bundle(tmp_path, document, metadata(2), FirstHalf(), scripted=True)
    volume = ct()
    volume.hu[:] = -80
    volume.hu[9:14, 4:14, 18:26] = 120
    found = ImportedOrgans(volume, imported(tmp_path), {}, exact=exact).field("Brainstem")
    mask = found.full_mask(volume.grid.shape)
    assert dice(mask, volume.hu > 20) > 0.9
    centre = volume.grid.index_to_patient(np.argwhere(mask)).mean(axis=0)
    middle = volume.grid.index_to_patient(np.array([[7.5, 16.5, 14.5]]))[0]
    assert (np.sign(centre - middle) == (1, -1, 1)).all()  # left, front, head in LPS


@pytest.mark.parametrize("heads", [4, 1])
def test_fast_inference_is_close_to_exact(heads: int, tmp_path: Path) -> None:
    """Both interpolate probabilities; fast inference leaves out specks."""
    document = one_channel() if heads == 1 else configuration()
    write_bundle(tmp_path, document, metadata(heads))
    network = imported(tmp_path)
    exact, fast = (
        ImportedOrgans(ct(), network, {}, exact=mode).field("Brainstem").full_mask(ct().grid.shape)
        for mode in (True, False)
    )
    assert dice(exact, fast) > 0.98
