"""A result folder of nnU-Net v2: plans.json, dataset.json and the folds.

File names come from the folder's listing, never from its JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oarflow.importing.errors import NotImportedError
from oarflow.importing.nnunet.checkpoint import Checkpoint, read_checkpoint
from oarflow.importing.nnunet.dataset import LabelTable, label_table
from oarflow.importing.nnunet.plans import Configured, configured
from oarflow.importing.nnunet.postprocessing import largest_components
from oarflow.json_files import JsonError, read_json
from oarflow.networks.imported.card import LargestComponent

PLANS = "plans.json"
DATASET = "dataset.json"
CHECKPOINT = "checkpoint_final.pth"
POSTPROCESSING = "crossval_results_folds_*/postprocessing"


@dataclass(frozen=True, eq=False)
class ResultFolder:
    """Everything that inference needs, checked.

    folds: by name, such as 0 or all. files: SHA-256 of every file that was read, by its path within
    the folder. remarks: what the user should know, in sentences.
    """

    path: Path
    configured: Configured
    labels: LabelTable
    folds: dict[str, Checkpoint]
    postprocessing: tuple[LargestComponent, ...]
    files: dict[str, str]
    remarks: tuple[str, ...]

    @property
    def first(self) -> Checkpoint:
        """The checkpoint that names configuration and mirroring, as in nnU-Net."""
        return next(iter(self.folds.values()))

    @property
    def reader(self) -> str:
        """nnU-Net's class that read the training images."""
        return self.labels.reader or self.configured.reader


def read_folder(path: Path, folds: Sequence[str] = ()) -> ResultFolder:
    """A result folder. folds: names of those to use; empty: all numbered ones, or else fold_all.

    Raises NotImportedError, OSError.
    """
    if not path.is_dir():
        raise NotImportedError(f"{path} is not a folder")
    _refuse_other_forms(path)
    files: dict[str, str] = {}
    plans = _document(path, path / PLANS, files)
    labels = label_table(_document(path, path / DATASET, files))
    checkpoints = {}
    for name, file in _folds(path, folds).items():
        files[file.relative_to(path).as_posix()] = _sha256(file)
        checkpoints[name] = read_checkpoint(file)
    used = {checkpoint.configuration for checkpoint in checkpoints.values()}
    if len(used) != 1:
        raise NotImportedError(f"the folds are of several configurations: {', '.join(used)}")
    rules, remarks = _postprocessing(path, list(checkpoints), files)
    return ResultFolder(
        path=path,
        configured=configured(plans, used.pop()),
        labels=labels,
        folds=checkpoints,
        postprocessing=rules,
        files=files,
        remarks=remarks,
    )


def _refuse_other_forms(path: Path) -> None:
    if (path / PLANS).is_file() and (path / DATASET).is_file():
        return
    if (path / "plans.pkl").is_file() or any(path.glob("fold_*/*.model")):
        raise NotImportedError(
            f"{path} is a folder of nnU-Net version 1, which cannot be converted:"
            " train the network again with version 2"
        )
    inner = sorted({file.parent for file in path.glob(f"*/{PLANS}")})
    if len(inner) == 1:
        raise NotImportedError(f"{path} is one level too high: name {inner[0]}")
    if inner:
        names = ", ".join(folder.name for folder in inner)
        raise NotImportedError(f"{path} holds several trained networks: name one of {names}")
    raise NotImportedError(
        f"{path} holds no {PLANS} and {DATASET}: name the folder that nnUNetv2_train wrote, such as"
        " nnUNet_results/Dataset001_X/nnUNetTrainer__nnUNetPlans__3d_fullres"
    )


def _document(folder: Path, file: Path, files: dict[str, str]) -> dict[str, Any]:
    try:
        document = read_json(file)
    except JsonError as error:
        raise NotImportedError(f"{file.name} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise NotImportedError(f"{file.name} holds no keys and values")
    files[file.relative_to(folder).as_posix()] = _sha256(file)
    return document


def _folds(path: Path, wanted: Sequence[str]) -> dict[str, Path]:
    """The checkpoint of each fold to use."""
    found = {file.parent.name[5:]: file for file in sorted(path.glob(f"fold_*/{CHECKPOINT}"))}
    if not found:
        raise NotImportedError(f"{path} holds no fold_*/{CHECKPOINT}: finish the training first")
    if missing := [name for name in wanted if name not in found]:
        raise NotImportedError(f"there is no fold {missing[0]}; found are {', '.join(found)}")
    numbered = [name for name in found if name.isdecimal()]
    names = list(dict.fromkeys(wanted)) or numbered or ["all"]
    if not set(names) <= set(found):
        raise NotImportedError(f"name the folds to use: found are {', '.join(found)}")
    return {name: found[name] for name in names}


def _postprocessing(
    path: Path, folds: Sequence[str], files: dict[str, str]
) -> tuple[tuple[LargestComponent, ...], tuple[str, ...]]:
    """The rules determined for just these folds, and remarks."""
    wanted = path / POSTPROCESSING.replace("*", "_".join(folds))
    file = wanted.with_suffix(".json")
    if file.is_file():
        return largest_components(_document(path, file, files)), ()
    if wanted.with_suffix(".pkl").is_file():
        return (), ("postprocessing.pkl is not read; without postprocessing.json there is none",)
    if any(path.glob(f"{POSTPROCESSING}.json")):
        return (), ("the folder's post-processing is for other folds and is not used",)
    return (), ()


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
