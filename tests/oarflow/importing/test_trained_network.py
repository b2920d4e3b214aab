"""A network that nnU-Net trained: beside nnunetv2 itself, and a mirrored copy of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from oarflow.commands import main
from oarflow.importing.errors import NotImportedError
from oarflow.importing.export import sha256, torchscript, write_network
from oarflow.importing.nnunet.checkpoint import load_network
from oarflow.importing.nnunet.convert import convert
from oarflow.importing.nnunet.folder import ResultFolder, read_folder
from oarflow.importing.nnunet.other_program import nnunet_labels
from oarflow.importing.orientation import with_proof
from oarflow.importing.statement import Statement
from oarflow.intake import read_volume
from oarflow.networks.cards import read_any_card
from oarflow.networks.imported.card import ImportedCard, OrganLabels
from oarflow.networks.imported.exact import exact_labels
from oarflow.networks.imported.network import ImportedNetwork

pytestmark = pytest.mark.imported

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "samples" / "openkbp_validation" / "ct"
PYTHON = ROOT / ".venvs" / "nnunet" / "bin" / "python"
ORGANS = ("Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Bone_Mandible")
CONTOURS = tuple(OrganLabels(organ=organ, labels=(n,)) for n, organ in enumerate(ORGANS, start=1))


class Mirrored(torch.nn.Module):
    """What the same training would give on images with left and right swapped."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.network(image.flip(-1)).flip(-1)
        return found


@pytest.fixture
def trained(shared_data: Path) -> ResultFolder:
    """Its training images' index grew to the left, back and head."""
    return read_folder(next((shared_data / "nnunet" / "trained").glob("Dataset901*/nnUNet*")))


def test_beside_nnunetv2(
    trained: ResultFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact labels are its labels, and contours of a run agree with them.

    nnunetv2 also labels some voxels outside the part of the CT that a run searches.
    """
    if not PYTHON.is_file():
        pytest.skip("no environment .venvs/nnunet: make nnunet")
    shutil.copy(trained.path.parents[1] / "how" / "nnUNetTrainerShortCPU.py", tmp_path)
    monkeypatch.setenv("nnUNet_extTrainer", str(tmp_path))
    content, card = convert(trained, Statement("trained", "LPS"), CONTOURS)
    models = tmp_path / "models"
    write_network(models / "trained", content, card)

    volume = read_volume(SAMPLE).volume
    theirs = nnunet_labels(PYTHON, trained.path, card, volume).labels
    network = ImportedNetwork(models / "trained" / "model.ts", card, "cpu")
    assert len(np.unique(theirs)) == 6
    assert int((exact_labels(volume.hu, volume.grid, network) != theirs).sum()) <= 10

    words = ["--case", str(SAMPLE), "--python", str(PYTHON)]
    assert main(["models", "verify", "trained", "-m", str(models), *words]) == 0
    verified = read_any_card(models / "trained" / "model.json")
    assert isinstance(verified, ImportedCard)
    (found,) = verified.verification
    assert found.against.startswith("nnunetv2 2.")
    for organ in ORGANS:
        assert found.figures[organ]["dice"] >= 0.97


def test_a_mirrored_copy_is_refused(trained: ResultFolder) -> None:
    """Brainstem, cord and mandible agree in both orientations; the parotids decide."""
    _, card = convert(trained, Statement("trained", "LPS"), CONTOURS)
    plans = trained.configured
    network = load_network(trained.first, plans.architecture, trained.labels.heads)
    content = torchscript({"0": Mirrored(network)}, plans.patch)
    copy = card.model_copy(update={"sha256": sha256(content)})
    with pytest.raises(NotImportedError, match=r"--orientation LPS contradicts.*; RPS agrees"):
        with_proof(copy, content, None)
