"""Two runs of an imported network compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from oarflow.importing.agreement import ContourAgreement, bfloat16_agrees, contour_agreement
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
    assert bfloat16_agrees(volume, ImportedNetwork(tmp_path / "n" / "model.ts", card, "cpu"), {})
    assert not bfloat16_agrees(
        sphere_volume({}), ImportedNetwork(tmp_path / "n" / "model.ts", card, "cpu"), {}
    )


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
