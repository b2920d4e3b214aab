"""Result folders of nnU-Net: what they say, and what is refused by name."""

from __future__ import annotations

import json
import pickle
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from oarflow.importing import torch_files
from oarflow.importing.errors import NotImportedError
from oarflow.importing.nnunet.checkpoint import load_network
from oarflow.importing.nnunet.folder import read_folder
from tests.oarflow.importing.nnunet.cases import SMALL, goldens

Change = Callable[[dict[str, Any]], None]
CHECKPOINT = Path("fold_0", "checkpoint_final.pth")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the small result folder that may be changed."""
    copy = tmp_path / "Dataset807_Slices" / "nnUNetTrainer__nnUNetPlans__2d"
    shutil.copytree(goldens(SMALL)[0].folder, copy)
    return copy


def load(path: Path) -> torch.nn.Module:
    found = read_folder(path)
    return load_network(found.first, found.configured.architecture, found.labels.heads)


def change(file: Path, how: Change) -> None:
    document = json.loads(file.read_text())
    how(document)
    file.write_text(json.dumps(document))


def configuration(plans: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = plans["configurations"]["2d"]
    return found


def arguments(plans: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = configuration(plans)["architecture"]["arch_kwargs"]
    return found


def test_what_a_folder_says(folder: Path) -> None:
    found = read_folder(folder)
    assert found.configured.name == "2d"
    assert found.configured.patch == (48, 40)
    assert found.configured.architecture.features == (4, 8, 16)
    assert found.first.mirror_axes == (0, 1)
    assert found.first.trainer == "nnUNetTrainer"
    assert found.labels.heads == 6
    assert set(found.files) == {"plans.json", "dataset.json", str(CHECKPOINT)}
    assert found.reader == "SimpleITKIO"


def test_every_weight_comes_from_the_checkpoint(folder: Path) -> None:
    network = load(folder)
    saved = torch.load(folder / CHECKPOINT, weights_only=False)["network_weights"]
    for name, value in network.state_dict().items():
        assert torch.equal(value, saved[name])


PLANS: dict[str, tuple[Change, str]] = {
    "a command": (
        lambda plans: arguments(plans).update(
            nonlin="subprocess.Popen", nonlin_kwargs={"args": ["touch", "MARKER"]}
        ),
        "nonlin is 'subprocess.Popen'",
    ),
    "a class to import": (
        lambda plans: configuration(plans)["architecture"]["_kw_requires_import"].append("args"),
        "_kw_requires_import is 'args'",
    ),
    "another network": (
        lambda plans: configuration(plans)["architecture"].update(
            network_class_name="somewhere.Primus"
        ),
        "the network's class is 'Primus'",
    ),
    "batch normalization": (
        lambda plans: arguments(plans).update(norm_op="torch.nn.modules.batchnorm.BatchNorm2d"),
        "norm_op is 'torch.nn.modules.batchnorm.BatchNorm2d'",
    ),
    "an unknown argument": (
        lambda plans: arguments(plans).update(squeeze_excitation=True),
        "arch_kwargs has 'squeeze_excitation'",
    ),
    "a huge network": (
        lambda plans: arguments(plans).update(features_per_stage=[4, 8, 10**9]),
        "features_per_stage is 1000000000",
    ),
    "a huge patch": (
        lambda plans: configuration(plans).update(patch_size=[48, 10**6]),
        "patch_size is 1000000",
    ),
    "resampling": (
        lambda plans: configuration(plans).update(resampling_fn_data="resample_torch_fornnunet"),
        "resampling_fn_data is 'resample_torch_fornnunet'",
    ),
    "normalization": (
        lambda plans: configuration(plans).update(normalization_schemes=["MyNormalization"]),
        "normalization_schemes is 'MyNormalization'",
    ),
    "preprocessor": (
        lambda plans: configuration(plans).update(preprocessor_name="MyPreprocessor"),
        "preprocessor_name is 'MyPreprocessor'",
    ),
    "a cascade": (
        lambda plans: configuration(plans).update(previous_stage="3d_lowres"),
        "second stage of a cascade",
    ),
    "a circle": (
        lambda plans: configuration(plans).update(inherits_from="2d"),
        "inherits from itself",
    ),
    "a missing configuration": (
        lambda plans: plans.update(configurations={}),
        "no configuration '2d'",
    ),
    "transposes": (
        lambda plans: plans.update(transpose_forward=[2, 0, 1], transpose_backward=[2, 0, 1]),
        "do not fit each other",
    ),
    "a changed network": (
        lambda plans: arguments(plans).update(features_per_stage=[4, 8, 32]),
        "does not fit the plans",
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_plans_are_refused_by_name(name: str, folder: Path, tmp_path: Path) -> None:
    how, said = PLANS[name]
    change(folder / "plans.json", how)
    with pytest.raises(NotImportedError, match=said) as caught:
        load(folder)
    assert len(str(caught.value)) < 300


DATASETS: dict[str, tuple[dict[str, Any], str]] = {
    "two channels": ({"channel_names": {"0": "CT", "1": "PET"}}, "reads 2 channels"),
    "MR": ({"channel_names": {"0": "T1"}}, "reads 'T1', not CT"),
    "no background": ({"labels": {"a": 1}}, "no background"),
    "a gap": ({"labels": {"background": 0, "a": 1, "b": 3}}, "not the whole numbers"),
    "regions without order": (
        {"labels": {"background": 0, "a": [1, 2], "b": 2}, "regions_class_order": [1]},
        "one label per region",
    ),
    "too many": (
        {"labels": {"background": 0, **{f"l{n}": n for n in range(1, 300)}}},
        "300 labels",
    ),
}


@pytest.mark.parametrize("name", DATASETS)
def test_data_sets_are_refused_by_name(name: str, folder: Path) -> None:
    fields, said = DATASETS[name]
    change(folder / "dataset.json", lambda document: document.update(fields))
    with pytest.raises(NotImportedError, match=said):
        read_folder(folder)


def test_other_folders_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotImportedError, match="one level too high"):
        read_folder(folder.parent)
    with pytest.raises(NotImportedError, match="no fold 3; found are 0"):
        read_folder(folder, ["3"])
    first = tmp_path / "version1"
    first.mkdir()
    (first / "plans.pkl").write_bytes(b"")
    with pytest.raises(NotImportedError, match="nnU-Net version 1"):
        read_folder(first)
    (folder / CHECKPOINT).unlink()
    with pytest.raises(NotImportedError, match="holds no fold_"):
        read_folder(folder)


class Touch:
    """Unpickling it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.marker), "w")


def test_a_malicious_checkpoint_runs_nothing(folder: Path, tmp_path: Path) -> None:
    marker, file = tmp_path / "was-run", folder / CHECKPOINT
    saved = torch.load(file, weights_only=False)
    saved["logging"] = {"lrs": [Touch(marker)]}
    torch.save(saved, file)
    torch.load(file, weights_only=False)
    assert marker.exists()  # as nnU-Net reads it
    marker.unlink()
    with pytest.raises(NotImportedError, match=r"asks for '(io|_io)\.open'"):
        read_folder(folder)
    assert not marker.exists()


def test_plans_that_name_a_command_run_nothing(folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "was-run"
    words = {"args": ["touch", str(marker)]}
    change(
        folder / "plans.json",
        lambda plans: arguments(plans).update(nonlin="subprocess.Popen", nonlin_kwargs=words),
    )
    with pytest.raises(NotImportedError, match="Popen"):
        read_folder(folder)
    time.sleep(0.2)
    assert not marker.exists()


def test_a_pickled_postprocessing_is_never_opened(folder: Path, tmp_path: Path) -> None:
    marker, place = tmp_path / "was-run", folder / "crossval_results_folds_0"
    place.mkdir()
    (place / "postprocessing.pkl").write_bytes(pickle.dumps(Touch(marker)))
    assert read_folder(folder).remarks == (
        "postprocessing.pkl is not read; without postprocessing.json there is none",
    )
    assert not marker.exists()


def test_postprocessing_is_read_from_its_json(folder: Path) -> None:
    place = folder / "crossval_results_folds_0"
    place.mkdir()
    rules: dict[str, Any] = {
        "postprocessing_fns": ["remove_all_but_largest_component_from_segmentation"] * 2,
        "postprocessing_kwargs": [{"labels_or_regions": [[1, 2], 3]}, {"labels_or_regions": 4}],
    }
    (place / "postprocessing.json").write_text(json.dumps(rules))
    assert [rule.labels for rule in read_folder(folder).postprocessing] == [(1, 2, 3), (4,)]
    rules["postprocessing_fns"][0] = "os.system"
    (place / "postprocessing.json").write_text(json.dumps(rules))
    with pytest.raises(NotImportedError, match=r"postprocessing_fns is 'os.system'"):
        read_folder(folder)


def test_oversized_archives_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / CHECKPOINT
    content = file.read_bytes()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
    with pytest.raises(NotImportedError, match="would unpack to 48 MiB"):
        read_folder(folder)
    file.write_bytes(b"no archive")
    with pytest.raises(NotImportedError, match="no archive of torch"):
        read_folder(folder)
    file.write_bytes(content)
    monkeypatch.setattr(torch_files, "MOST_BYTES", len(content) - 1)
    with pytest.raises(NotImportedError, match="larger than"):
        read_folder(folder)


def test_damaged_weights_are_refused(folder: Path) -> None:
    file = folder / CHECKPOINT
    saved = torch.load(file, weights_only=False)
    name, before = next(iter(saved["network_weights"].items()))
    saved["network_weights"] = {**saved["network_weights"], name: before + 1}
    torch.save(saved, file)
    with pytest.raises(NotImportedError, match="has two values"):
        load(folder)
    before.fill_(float("nan"))
    saved["network_weights"][name] = before
    torch.save(saved, file)
    with pytest.raises(NotImportedError, match="not finite"):
        load(folder)


@pytest.mark.parametrize("name", ["checkpoint", "plans", "postprocessing"])
def test_folders_made_to_run_something_do_not(name: str, shared_data: Path) -> None:
    marker = Path("/tmp/nnunet-evil-was-run")
    place = shared_data / "nnunet" / "folders" / "evil" / name
    if not place.is_dir():
        pytest.skip(f"nnunet/folders/evil/{name} is not in OARFLOW_DATA")
    assert not marker.exists()
    (folder,) = place.glob("Dataset*/nnUNet*")
    if name == "postprocessing":
        read_folder(folder)
    else:
        with pytest.raises(NotImportedError):
            read_folder(folder)
    time.sleep(0.2)
    assert not marker.exists()
