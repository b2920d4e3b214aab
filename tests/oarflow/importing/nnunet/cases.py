"""nnU-Net result folders with the label maps that nnunetv2 predicts, and their CTs as volumes."""

from __future__ import annotations

import gzip
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from oarflow.geometry import Grid
from oarflow.importing.nnunet.convert import convert
from oarflow.importing.nnunet.folder import read_folder
from oarflow.importing.statement import Statement
from oarflow.networks.imported.card import OrganLabels
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.imported.orientation import grid_orientation
from oarflow.volume import Source, Volume

SMALL = Path(__file__).parent / "small" / "g_2d"
NUMBERS = {2: "u1", 4: "<i2", 8: "<i4", 16: "<f4", 512: "<u2"}


def read_nifti(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Voxels (z, y, x) as stored, and the affine (3, 4) from indices (x, y, z) to RAS."""
    raw = gzip.decompress(path.read_bytes())
    nx, ny, nz = struct.unpack_from("<3h", raw, 42)
    kind = NUMBERS[struct.unpack_from("<h", raw, 70)[0]]
    first = int(struct.unpack_from("<f", raw, 108)[0])
    voxels = np.frombuffer(raw, kind, nx * ny * nz, first).reshape(nz, ny, nx)
    return voxels, np.array(struct.unpack_from("<12f", raw, 280)).reshape(3, 4)


def read_volume(path: Path) -> Volume:
    """A NIfTI image as a CT, its axes as stored."""
    voxels, affine = read_nifti(path)
    lps = np.diag([-1.0, -1.0, 1.0]) @ affine
    spacing = np.linalg.norm(lps[:, :3], axis=0)
    x, y, _ = (lps[:, :3] / spacing).T
    count = len(voxels)
    positions = lps[:, 3] + np.arange(count)[:, None] * lps[:, 2]
    grid = Grid(positions, x, y, (float(spacing[1]), float(spacing[0])), voxels.shape)
    uids = tuple(f"1.2.3.{number + 1}" for number in range(count))
    source = Source("1.2.1", "1.2.2", "1.2.4", "1.2.5", uids, Dataset(), "")
    return Volume(voxels.astype(np.float32), grid, source)


@dataclass(frozen=True)
class Golden:
    """What nnunetv2 predicted, and with which settings."""

    place: Path
    facts: dict[str, Any]

    @property
    def folder(self) -> Path:
        return Path(self.place, json.loads((self.place / "case.json").read_text())["folder"])

    @property
    def labels(self) -> NDArray[Any]:
        return read_nifti(self.place / self.facts["file"])[0]

    @property
    def volume(self) -> Volume:
        return read_volume(self.place / "input.nii.gz")


def goldens(place: Path) -> list[Golden]:
    """All predictions of one folder."""
    case = json.loads((place / "case.json").read_text())
    return [Golden(place, facts) for facts in case["goldens"]]


def imported(golden: Golden, target: Path) -> ImportedNetwork:
    """The network of a golden prediction, exported to a file and loaded from it."""
    folder = read_folder(golden.folder, [str(fold) for fold in golden.facts["folds"]])
    turned = "Reorient" in folder.reader
    orientation = "RAS" if turned else grid_orientation(golden.volume.grid)
    contours = [OrganLabels(organ="Brainstem", labels=(1,))]
    content, card = convert(folder, Statement("small", orientation), contours)
    target.write_bytes(content)
    return ImportedNetwork(target, card.model_copy(update={"step": golden.facts["step"]}), "cpu")
