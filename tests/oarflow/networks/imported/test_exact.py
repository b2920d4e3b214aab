"""Exact inference gives every voxel the label that nnunetv2 itself gives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.networks.imported.card import LargestComponent
from oarflow.networks.imported.exact import exact_labels, largest_components
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.imported.tiles import TilePlan
from oarflow.types import FloatVoxels
from tests.oarflow.importing.nnunet.cases import SMALL, Golden, goldens, imported

FOLDERS = (
    "a_transposed",
    "b_anisotropic",
    "c_two_folds",
    "d_regions",
    "e_resenc",
    "f_old_plans",
    "g_2d",
    "h_cads_like",
)

MOST_DIFFERENT = 10
"""Voxels that may differ on processors whose matrix products round in another way."""


def differing(golden: Golden, network: ImportedNetwork) -> int:
    found = exact_labels(
        golden.volume.hu,
        golden.volume.grid,
        network,
        mirroring=golden.facts["mirroring"],
        postprocessing=golden.facts["postprocessing"],
    )
    assert found.shape == golden.labels.shape
    assert len(np.unique(golden.labels)) > 2
    return int((found != golden.labels).sum())


def allowed() -> int:
    return 0 if "AVX512" in torch.backends.cpu.get_cpu_capability() else MOST_DIFFERENT


def test_a_small_network_gives_the_labels_of_nnunetv2(tmp_path: Path) -> None:
    (golden,) = goldens(SMALL)
    assert differing(golden, imported(golden, tmp_path / "model.ts")) <= allowed()


@pytest.mark.parametrize("name", FOLDERS)
def test_every_form_of_folder_gives_the_result_of_nnunetv2(
    name: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All labels, and input and logits of the piece that nnunetv2 wrote of its first prediction."""
    place = shared_data / "nnunet" / "folders" / name
    if not place.is_dir():
        pytest.skip(f"nnunet/folders/{name} is not in OARFLOW_DATA")
    seen: list[NDArray[Any]] = []
    run = ImportedNetwork.logits

    def watched(
        self: ImportedNetwork, data: FloatVoxels, plan: TilePlan, **how: Any
    ) -> NDArray[np.float16]:
        found = run(self, data, plan, **how)
        seen.extend((data[plan.keep], found))
        return found

    monkeypatch.setattr(ImportedNetwork, "logits", watched)
    for golden in reversed(goldens(place)):
        network = imported(golden, tmp_path / "model.ts")
        assert differing(golden, network) <= allowed(), golden.facts["file"]
    piece = np.load(place / "golden_logits.npz")
    ends = zip(piece["start"], piece["data"].shape[1:], strict=True)
    at = tuple(slice(first, first + size) for first, size in ends)
    assert np.array_equal(seen[-2][at], piece["data"][0])
    logits = seen[-1][(slice(None), *at)].astype(float)
    assert float(np.abs(logits - piece["logits"]).max()) <= (0 if allowed() == 0 else 0.01)


def test_a_turned_ct_gives_the_turned_labels(tmp_path: Path) -> None:
    """The network's axes follow the patient: the stored order of the rows makes no difference."""
    (golden,) = goldens(SMALL)
    network = imported(golden, tmp_path / "model.ts")
    volume = golden.volume
    straight = exact_labels(volume.hu, volume.grid, network, mirroring=False)
    stated = network.card.orientation
    flipped = "R" if stated[0] == "L" else "L"
    other = exact_labels(
        volume.hu, volume.grid, network, mirroring=False, orientation=flipped + stated[1:]
    )
    assert (other != straight).any()
    mirrored_ct = exact_labels(
        np.ascontiguousarray(volume.hu[:, :, ::-1]), volume.grid, network, mirroring=False
    )
    assert np.array_equal(other[:, :, ::-1], mirrored_ct)


def test_the_largest_component_stays() -> None:
    labels = np.zeros((6, 12, 12), dtype=np.uint8)
    labels[1:4, 1:4, 1:4] = 2
    labels[4, 4, 4] = 3
    labels[1:3, 8:10, 8:10] = 2
    labels[5, 11, 0] = 1
    both = largest_components(labels, (LargestComponent(labels=(2, 3)),))
    assert ndimage.label(both == 2)[1] == 1
    assert both[4, 4, 4] == 3  # joined with label 2 by a corner
    assert both[5, 11, 0] == 1
    alone = largest_components(labels, (LargestComponent(labels=(3,)),))
    assert np.array_equal(alone, labels)
