"""An imported network beside nnunetv2, which another Python stands in for."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from oarflow.commands import main
from oarflow.importing import verify as verification
from oarflow.importing.errors import NotVerifiedError
from oarflow.importing.nnunet.other_program import nnunet_labels
from oarflow.importing.own_organs import OwnOrgans
from oarflow.importing.verify import Comparison, compared, verify
from oarflow.networks.cards import read_any_card
from oarflow.networks.imported.card import ImportedCard, NetworkSource
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.volume import Volume
from tests.oarflow.chain import sphere_volume
from tests.oarflow.segmentation.imported_networks import write_imported

CENTRES = {"Parotid_L": (40.0, 5.0, 3.0), "Parotid_R": (-41.0, 5.0, 3.0)}

PREDICTOR = """
import os, sys
sys.path.insert(0, {site!r})
import numpy as np, SimpleITK

class nnUNetPredictor:
    def __init__(self, **settings):
        pass

    def initialize_from_trained_model_folder(self, folder, folds, checkpoint):
        assert sorted(os.listdir(folder)) == ["plans.json"], os.listdir(folder)
        assert folds == (0,)
        {fault}

    def predict_from_files_sequential(self, images, outputs):
        image = SimpleITK.ReadImage(images[0][0])
        hu = SimpleITK.GetArrayFromImage(image)  # the axes as stored, as nnU-Net's reader does
        labels = np.where(hu > 50, 1, np.where(hu < -50, 2, 0)).astype(np.uint8)
        z, y, x = (np.argwhere(labels == 1).mean(axis=0) / labels.shape).round(2)
        assert ({expected}), (z, y, x)
        found = SimpleITK.GetImageFromArray(labels)
        found.CopyInformation(image)
        SimpleITK.WriteImage(found, outputs[0] + ".nii.gz")
"""


@pytest.fixture
def scene() -> OwnOrgans:
    volume: Volume = sphere_volume(CENTRES)
    volume.hu[volume.hu == 0] = 1.0
    return OwnOrgans("two spheres", volume, {}, {})


def fake_python(folder: Path, expected: str = "True", fault: str = "pass") -> Path:
    """A Python with a package nnunetv2 that labels by HU. expected: of label 1's centre."""
    import SimpleITK

    package = folder / "site" / "nnunetv2" / "inference"
    package.mkdir(parents=True)
    for place in (package, package.parent):
        (place / "__init__.py").write_text("")
    site = str(Path(SimpleITK.__file__).parents[1])
    code = PREDICTOR.format(site=site, expected=expected, fault=fault)
    (package / "predict_from_raw_data.py").write_text(code)
    (package.parents[1] / "torch.py").write_text(
        "class cuda:\n    is_available = staticmethod(lambda: False)\ndevice = str\n"
    )
    facts = package.parents[1] / "nnunetv2-9.9.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: nnunetv2\nVersion: 9.9\n")
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={package.parents[1]} exec {sys.executable} "$@"\n')
    program.chmod(0o755)
    return program


def written(folder: Path, **fields: Any) -> ImportedCard:
    """An imported network, and its result folder with a file that was not imported."""
    results = folder / "results"
    results.mkdir(parents=True)
    (results / "plans.json").write_text("{}")
    (results / "postprocessing.pkl").write_text("never read")
    digest = hashlib.sha256(b"{}").hexdigest()
    source = NetworkSource(
        form="nnU-Net v2", origin="tests", files={"plans.json": digest}, folder=str(results)
    )
    return write_imported(folder / "models" / "elsewhere", source=source, **fields)


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [  # Parotid_L is 40 mm left of the middle, of 160 mm: three quarters of the way to the left
        ("LPS", "abs(x - .75) < .02"),
        ("RAS", "abs(x - .25) < .02"),
        ("SLP", "abs(y - .75) < .02"),
        ("AIR", "abs(z - .25) < .02"),
    ],
)
def test_the_other_program_reads_what_the_training_images_were(
    orientation: str, expected: str, scene: OwnOrgans, tmp_path: Path
) -> None:
    card = written(tmp_path, orientation=orientation)
    python = fake_python(tmp_path, expected)
    found = nnunet_labels(python, tmp_path / "results", card, scene.volume)
    assert found.version == "9.9"
    assert ((found.labels == 1) == (scene.volume.hu > 50)).all()
    assert ((found.labels == 2) == (scene.volume.hu < -50)).all()


def test_figures_are_written_onto_the_card(
    scene: OwnOrgans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "localized", lambda case: scene)
    before = written(tmp_path)
    place = tmp_path / "models" / "elsewhere"
    asked = Comparison(tmp_path, fake_python(tmp_path))
    verify(place, before, asked)
    once = read_any_card(place / "model.json")
    assert isinstance(once, ImportedCard)
    verify(place, once, asked)  # the same figures replace the first ones
    card = read_any_card(place / "model.json")
    assert isinstance(card, ImportedCard)
    (found,) = card.verification
    assert (found.against, found.data) == ("nnunetv2 9.9", "two spheres")
    for organ in CENTRES:
        assert found.figures[organ]["dice"] > 0.97
        assert found.figures[organ]["mean_surface_distance_mm"] < 0.3
    assert card.digest == before.digest
    assert [path.name for path in place.iterdir() if path.name.startswith(".")] == []


def test_a_difference_shows(scene: OwnOrgans, tmp_path: Path) -> None:
    """A label that is moved by two slices of 2 mm, in a sphere with a radius of 12 mm."""
    card = written(tmp_path)
    network = ImportedNetwork(tmp_path / "models" / "elsewhere" / "model.ts", card, "cpu")
    other = nnunet_labels(fake_python(tmp_path), tmp_path / "results", card, scene.volume)
    other.labels[:-2] = other.labels[2:].copy()
    found = compared(network, scene, other).figures["Parotid_L"]
    assert found["dice"] == pytest.approx(0.75, abs=0.03)
    assert 1.0 < found["mean_surface_distance_mm"] < 3.0


@pytest.mark.parametrize(
    ("python", "said"),
    [("absent", "cannot be started"), ("faulty", "did not predict .*no such trainer")],
)
def test_a_program_that_does_not_predict(
    python: str, said: str, scene: OwnOrgans, tmp_path: Path
) -> None:
    card = written(tmp_path)
    program = tmp_path / "absent"
    if python == "faulty":
        program = fake_python(tmp_path, fault="raise RuntimeError('no such trainer')")
    with pytest.raises(NotVerifiedError, match=said):
        nnunet_labels(program, tmp_path / "results", card, scene.volume)


def test_a_python_beside_the_caller_is_found(
    scene: OwnOrgans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = written(tmp_path)
    fake_python(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = nnunet_labels(Path("python"), tmp_path / "results", card, scene.volume)
    assert found.version == "9.9"


def test_a_folder_that_was_changed_is_not_run(scene: OwnOrgans, tmp_path: Path) -> None:
    card = written(tmp_path)
    (tmp_path / "results" / "plans.json").write_text('{"nonlin": "subprocess.Popen"}')
    with pytest.raises(NotVerifiedError, match=r"plans.json in .* is not the imported file"):
        nnunet_labels(tmp_path / "python", tmp_path / "results", card, scene.volume)
    with pytest.raises(NotVerifiedError, match=r"lacks plans\.json"):
        nnunet_labels(tmp_path / "python", tmp_path, card, scene.volume)


def test_what_the_command_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path)
    models = str(tmp_path / "models")
    assert main(["models", "verify", "-m", models]) == 0
    for words, said in (
        (["elsewhere"], "--case and --python"),
        (["nothing"], "no network or rule 'nothing'"),
    ):
        capsys.readouterr()
        assert main(["models", "verify", *words, "-m", models]) != 0
        assert said in capsys.readouterr().err
    assert json.loads((tmp_path / "models/elsewhere/model.json").read_text())["verification"] == []
