"""Two runs of an imported network compared."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from oarflow.importing.agreement import ContourAgreement, contour_agreement, with_bfloat16
from oarflow.importing.own_organs import OwnOrgans
from oarflow.networks.imported.card import OrganLabels
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.segmentation.imported import ImportedOrgans
from oarflow.volume import Volume
from tests.oarflow.chain import sphere_volume
from tests.oarflow.segmentation.imported_networks import Halves, write_imported

CENTRES = {"Parotid_L": (40.0, 5.0, 3.0), "Parotid_R": (-41.0, 5.0, 3.0)}


@pytest.fixture
def volume() -> Volume:
    made = sphere_volume(CENTRES)
    made.hu[made.hu == 0] = 1.0
    return made


def test_bfloat16_agrees_where_labels_are_far_apart(volume: Volume, tmp_path: Path) -> None:
    card = write_imported(tmp_path / "n")
    path = tmp_path / "n" / "model.ts"
    found = with_bfloat16(card, path, OwnOrgans("spheres", volume, {}, {}))
    assert found.bfloat16
    assert found.bfloat16_evidence is not None
    assert found.bfloat16_evidence.data == "spheres"
    for organ in CENTRES:
        assert found.bfloat16_evidence.figures[organ]["dice"] >= 0.995
    nothing = with_bfloat16(card, path, OwnOrgans("water", sphere_volume({}), {}, {}))
    assert not nothing.bfloat16


class Rounded(torch.nn.Module):
    """Label 1 from 100 HU, after a product with weights that bfloat16 rounds by up to 0.4 %."""

    def __init__(self) -> None:
        super().__init__()
        self.product = torch.nn.Conv3d(1, 1, 1, bias=False)
        torch.nn.init.constant_(self.product.weight, 1.003)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        above = self.product(image)[:, 0] - 100.0
        return torch.stack([above * 0, above, above * 0 - 1000], dim=1)


def test_a_network_that_bfloat16_changes_keeps_single_precision(
    volume: Volume, tmp_path: Path
) -> None:
    """A sphere of 99.8 HU is label 1 in single precision alone."""
    volume.hu[volume.hu == 100] = 99.8
    contours = (OrganLabels(organ="Parotid_L", labels=(1,)),)
    card = write_imported(tmp_path / "n", Rounded(), contours=contours)
    found = with_bfloat16(card, tmp_path / "n" / "model.ts", OwnOrgans("", volume, {}, {}))
    assert not found.bfloat16
    assert found.bfloat16_evidence is not None
    assert found.bfloat16_evidence.figures["Parotid_L"]["dice"] < 0.995
    assert found.digest == card.digest


def test_a_turned_network_does_not_agree(volume: Volume, tmp_path: Path) -> None:
    card = write_imported(tmp_path / "n", Halves(), spacing_mm=(2.0, 1.7, 5.0))
    network = ImportedNetwork(tmp_path / "n" / "model.ts", card, "cpu")
    one = ImportedOrgans(volume, network, {})
    found = contour_agreement(one, ImportedOrgans(volume, network, {}, orientation="RPS"))
    assert found["Parotid_L"].dice < 0.1
    assert not found["Parotid_L"].holds
    assert contour_agreement(one, one)["Parotid_L"].dice == 1.0


@pytest.mark.parametrize(
    ("dice", "mm", "cc", "holds"),
    [
        (0.995, 0.09, 2.0, True),
        (0.994, 0.0, 2.0, False),
        (1.0, 0.1, 2.0, False),
        (0.5, 9.0, 1.9, True),
    ],
)
def test_limits(dice: float, mm: float, cc: float, holds: bool) -> None:
    assert ContourAgreement(dice, mm, cc).holds is holds
