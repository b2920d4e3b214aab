"""The labels that nnunetv2 itself gives to a CT, predicted in an environment of the user's."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from oarflow.importing.errors import NotVerifiedError
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.imported.orientation import grid_orientation
from oarflow.shown import shown
from oarflow.sitk import ct_image
from oarflow.volume import Volume

SCRIPT = Path(__file__).with_name("predict_with_nnunet.py")
ENDING = ".nii.gz"
MOST_SECONDS = 4 * 3600


@dataclass(frozen=True, eq=False)
class OtherLabels:
    """Labels (z, y, x) on the CT's grid, and the version of nnunetv2 that gave them."""

    labels: NDArray[np.uint8]
    version: str


def nnunet_labels(python: Path, folder: Path, card: ImportedCard, volume: Volume) -> OtherLabels:
    """Run nnunetv2 with its own settings, mirroring included, and without post-processing.

    python: of an environment with nnunetv2. folder: the result folder that was imported; only the
    files that the card lists are used, and only if they are still the same.
    Raises NotVerifiedError, ValueError where the CT's slices are unevenly spaced.
    """
    with tempfile.TemporaryDirectory(prefix="oarflow-") as name:
        room = Path(name)
        copied = _copied(folder, card, room / "Dataset" / "network")
        image = SimpleITK.DICOMOrient(ct_image(volume.hu, volume.grid), card.orientation)
        SimpleITK.WriteImage(image, str(room / f"ct{ENDING}"))
        version = _run(python, room, copied, card.folds)
        found = _labels(room / f"labels{ENDING}")
        if found.GetSize() != image.GetSize():
            raise NotVerifiedError("nnunetv2's label map has another size than the CT")
        found.CopyInformation(image)
        back = SimpleITK.DICOMOrient(found, grid_orientation(volume.grid))
        labels: NDArray[Any] = SimpleITK.GetArrayFromImage(back)
        return OtherLabels(labels.astype(np.uint8), version)


def _copied(folder: Path, card: ImportedCard, target: Path) -> Path:
    """Links to the imported files alone: nnunetv2 unpickles what it finds."""
    for name, expected in card.source.files.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
            raise NotVerifiedError(f"{folder} lacks {shown(name)}: name the folder with --folder")
        with file.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != expected:
                raise NotVerifiedError(
                    f"{shown(name)} in {folder} is not the imported file: import the network again"
                )
        link = target / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.resolve())
    return target


def _run(python: Path, room: Path, network: Path, folds: tuple[str, ...]) -> str:
    """nnunetv2's version. The script is handed over as text: its folder is no place to import."""
    text = SCRIPT.read_text(encoding="utf-8")
    words = [str(network), str(room / f"ct{ENDING}"), str(room / "labels"), *folds]
    try:
        done = subprocess.run(
            [str(python.absolute()), "-c", text, *words],
            cwd=room,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=MOST_SECONDS,
            check=False,
        )
    except OSError as error:
        raise NotVerifiedError(f"{python} cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise NotVerifiedError(f"nnunetv2 did not end within {MOST_SECONDS // 3600} h") from None
    said = [line.strip() for line in (done.stderr if done.returncode else done.stdout).splitlines()]
    last = next((line for line in reversed(said) if line), "no output")
    if done.returncode:
        raise NotVerifiedError(
            f"{python} did not predict ({shown(last)[:200]}): name the Python of an environment"
            " with nnunetv2 and the network's trainer with --python"
        )
    return shown(last)[:40]


def _labels(path: Path) -> SimpleITK.Image:
    try:
        return SimpleITK.ReadImage(str(path))
    except RuntimeError:
        raise NotVerifiedError("nnunetv2 wrote no label map that can be read") from None
