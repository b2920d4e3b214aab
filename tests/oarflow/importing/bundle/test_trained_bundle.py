"""A trained network as a bundle with TorchScript: MONAI's labels, and the proof of orientation."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from oarflow.commands import main
from oarflow.importing.nnunet.checkpoint import load_network
from oarflow.importing.nnunet.folder import read_folder
from oarflow.intake import read_volume
from oarflow.networks.cards import read_any_card
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.imported.exact import exact_labels
from oarflow.networks.imported.network import ImportedNetwork
from tests.oarflow.importing.bundle.bundles import (
    Document,
    configuration,
    metadata,
    monai_labels,
    transform,
    write_bundle,
)

pytestmark = pytest.mark.imported

ROOT = Path(__file__).resolve().parents[4]
SAMPLE = ROOT / "samples" / "openkbp_validation" / "ct"
ORGANS = ("Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Bone_Mandible")


class FromX(torch.nn.Module):
    """A network of arrays (z, y, x) for arrays (x, y, z)."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.network(image.permute(0, 1, 4, 3, 2)).permute(0, 1, 4, 3, 2)
        return found


@pytest.fixture
def trained(shared_data: Path, tmp_path: Path) -> tuple[Path, Document, torch.nn.Module]:
    """A bundle of a network whose training images' index grew to the left, back and head."""
    place = next((shared_data / "nnunet" / "trained").glob("Dataset901*/nnUNet*"))
    found = read_folder(place)
    plans, rule = found.configured, found.configured.normalization
    network = FromX(load_network(found.first, plans.architecture, found.labels.heads)).eval()
    tile = torch.zeros(1, 1, *plans.patch[::-1])
    traced = torch.jit.trace(network, tile, check_trace=False)  # type: ignore[no-untyped-call]

    document = configuration()
    transform(document, "preprocessing", "Orientationd")["axcodes"] = "LPS"
    transform(document, "preprocessing", "Spacingd")["pixdim"] = list(plans.spacing_mm[::-1])
    transform(document, "preprocessing", "ScaleIntensityRanged").update(
        a_min=rule.low,
        a_max=rule.high,
        b_min=(rule.low - rule.mean) / rule.std,
        b_max=(rule.high - rule.mean) / rule.std,
    )
    document["inferer"].update(roi_size=list(plans.patch[::-1]), mode="gaussian")
    described = metadata(6)
    channels = {"0": "background", **{str(n): o for n, o in enumerate(ORGANS, start=1)}}
    described["network_data_format"]["outputs"]["pred"]["channel_def"] = channels
    folder = tmp_path / "bundle"
    write_bundle(folder, document, described, network)
    traced.save(str(folder / "models" / "model.ts"))
    (folder / "models" / "model.pt").unlink()
    return folder, document, network


def test_a_trained_network_by_one_command(
    trained: tuple[Path, Document, torch.nn.Module], tmp_path: Path
) -> None:
    """Proven where the bundle states its orientation, with MONAI's labels on a real CT."""
    folder, document, network = trained
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models", models)
    words = ["models", "import", "bundle", str(folder), "-m", str(models), "--name", "trained"]
    assert main(words) == 0
    card = read_any_card(models / "trained" / "model.json")
    assert isinstance(card, ImportedCard)
    assert card.orientation_proof == "proven"
    assert card.orientation_evidence is not None
    assert min(card.orientation_evidence.dice["LPS"].values()) > 0.7

    volume = read_volume(SAMPLE).volume
    expected = monai_labels(document, network, volume)
    assert len(np.unique(expected)) == 6
    found = exact_labels(
        volume.hu, volume.grid, ImportedNetwork(models / "trained" / "model.ts", card, "cpu")
    )
    assert int((found != expected).sum()) <= 10


def test_swapped_sides_are_refused(
    trained: tuple[Path, Document, torch.nn.Module],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, document, network = trained
    transform(document, "preprocessing", "Orientationd")["axcodes"] = "RPS"
    described = (folder / "configs" / "metadata.json").read_bytes()
    write_bundle(folder, document, network=network)
    (folder / "configs" / "metadata.json").write_bytes(described)
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models", models)
    words = ["models", "import", "bundle", str(folder), "--torchscript", "-m", str(models)]
    assert main([*words, "--name", "trained"]) == 3
    said = capsys.readouterr().err
    assert "RPS contradicts OARflow's own organs" in said
    assert "LPS agrees" in said
    assert not (models / "trained").exists()
