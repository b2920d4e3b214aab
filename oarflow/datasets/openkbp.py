"""OpenKBP (Babier et al., Medical Physics 48 (2021) 5549): stored as npz, published as CSV.

A published patient is a folder of CSV files, each `flat index, value` over an array of
(y, x, z) of 128 x 128 x 128 with z growing toward the feet; masks have no value.
`voxel_dimensions.csv` holds y, x, z in mm. The stored form holds (z, y, x) arrays in the order of
`oarflow.datasets.cases.Case` under the published names.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from oarflow.datasets.cases import Case, LazyMasks
from oarflow.datasets.label_values import organ_mask
from oarflow.datasets.openkbp_facts import added_hu
from oarflow.types import Mask
from oarflow.volume import Image

LOGGER = logging.getLogger(__name__)

T = TypeVar("T", bound=np.generic)

ORGANS = {
    "Brainstem": "Brainstem",
    "SpinalCord": "SpinalCord",
    "Parotid_R": "RightParotid",
    "Parotid_L": "LeftParotid",
    "Esophagus": "Esophagus",
    "Larynx": "Larynx",
    "Bone_Mandible": "Mandible",
}
"""OpenKBP's name of each organ, by catalogue name."""

SIDE = 128
"""Voxels along each axis of a published array."""

STORED_OFFSET = 1024
"""Stored CT values are the published ones less this, whatever was added to HU
(`openkbp_facts.added_hu`); a case's CT is in HU."""

UNPUBLISHED_HU = -1024
"""Where no value was published, in the stored form and in a case."""

HIGHEST_HU = 3071
"""Greatest stored value and greatest HU (12 bits). Published values reach 22,000 in metal."""


class OpenKbp(Mapping[str, Case]):
    """The patients of a folder of `pt_N.npz`, by `pt_N` in order of N.

    Patients and masks are read on access. Raises FileNotFoundError for a folder without patients.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = {p.stem: p for p in sorted(folder.glob("pt_*.npz"), key=_number)}
        if not self._paths:
            raise FileNotFoundError(f"no pt_N.npz in {folder}")

    def __getitem__(self, case_id: str) -> Case:
        return load_npz(self._paths[case_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, case_id: object) -> bool:
        return case_id in self._paths


class OpenKbpCsv(Mapping[str, Case]):
    """OpenKBP's patients as published, folders of CSV files, by `pt_N` in order of N.

    A patient's CT takes a second or two to read: `convert` gives the form to work with. Raises
    FileNotFoundError where the folder holds none.
    """

    def __init__(self, folder: Path) -> None:
        self._folders = {place.name: place for place in published(folder)}
        if not self._folders:
            raise FileNotFoundError(f"no patient (a folder with ct.csv) in {folder}")

    def __getitem__(self, case_id: str) -> Case:
        return load_csv(self._folders[case_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._folders)

    def __len__(self) -> int:
        return len(self._folders)

    def __contains__(self, case_id: object) -> bool:
        return case_id in self._folders


def load_csv(folder: Path) -> Case:
    """Read one published patient; its masks are read on access."""
    arrays = _read_image(folder)
    organs = tuple(organ for organ, name in ORGANS.items() if (folder / f"{name}.csv").is_file())
    z, y, x = (float(mm) for mm in arrays["spacing_mm"])
    masks = LazyMasks(organs, lambda organ: _read_organ(folder, ORGANS[organ]))
    ct: Any = arrays["ct"]
    body: Any = arrays["body"]
    return Case(folder.name, in_hu(ct, body, folder.resolve().name), (z, y, x), masks, body)


def published(folder: Path) -> list[Path]:
    """Folders of published patients: the folder itself, or the `pt_N` in it in order of N."""
    if (folder / "ct.csv").is_file():
        return [folder.resolve()]
    found = (place for place in folder.glob("pt_*") if (place / "ct.csv").is_file())
    return sorted(found, key=_number)


@contextmanager
def _stored(path: Path) -> Iterator[Any]:
    """The arrays of a stored patient. Raises ValueError where the file is damaged or lacks one."""
    try:
        with np.load(path) as arrays:
            yield arrays
    except (BadZipFile, EOFError, zlib.error, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name}: damaged, or no patient ({error})") from None


def openkbp_dose(folder: Path, case: Case) -> Image:
    """The planned dose of an OpenKBP patient, Gy, on the case's voxels.

    It is nan outside the mask of possible dose, where none was published. Raises FileNotFoundError
    where the folder lacks `pt_N.npz`, ValueError where it does not fit.
    """
    with np.load(folder / f"{case.id}.npz") as arrays:
        dose = np.asarray(arrays["dose_gy"], dtype=np.float32)
        if "allowed" in arrays:
            dose = np.where(arrays["allowed"], dose, np.float32(np.nan))
        return Image(dose, case.grid)


def load_npz(path: Path) -> Case:
    """Read one stored patient; its masks are read on access.

    Raises ValueError where the file is damaged, or no patient.
    """
    with _stored(path) as arrays:
        organs = tuple(organ for organ, key in ORGANS.items() if key in arrays.files)
        z, y, x = (float(mm) for mm in arrays["spacing_mm"])
        ct, body = in_hu(arrays["ct"], arrays["body"], path.stem), arrays["body"]
        return Case(path.stem, ct, (z, y, x), _masks(path, organs, ct.shape), body)


def in_hu(stored: NDArray[np.int16], body: Mask, patient: str) -> NDArray[np.int16]:
    """A patient's stored CT values as HU; -1024 where nothing was published."""
    hu = np.minimum(stored + np.int16(STORED_OFFSET - added_hu(patient)), np.int16(HIGHEST_HU))
    return np.where(body, hu, np.int16(UNPUBLISHED_HU))


def _masks(path: Path, organs: tuple[str, ...], shape: tuple[int, ...]) -> LazyMasks:
    def load(organ: str) -> Mask:
        with _stored(path) as arrays:
            mask = organ_mask(arrays[ORGANS[organ]])
            if mask.shape != shape:
                raise ValueError(f"{organ} {mask.shape}, CT {shape}")
            return mask

    return LazyMasks(organs, load)


def read_csv_patient(folder: Path) -> dict[str, NDArray[np.generic]]:
    """One published patient as the arrays of the stored form.

    ct: int16, published values less 1024, clipped to -1024..3071, -1024 where nothing was
    published. body: bool.
    spacing_mm: float64 (z, y, x). Organs by OpenKBP's name, bool, only those drawn.

    Raises FileNotFoundError without ct.csv or voxel_dimensions.csv, ValueError where an index is
    outside the array.
    """
    arrays = _read_image(folder)
    for name in ORGANS.values():
        if (folder / f"{name}.csv").is_file():
            arrays[name] = _read_organ(folder, name)
    return arrays


def _read_image(folder: Path) -> dict[str, NDArray[np.generic]]:
    index, values = _sparse(folder / "ct.csv")
    ct = np.full(SIDE**3, UNPUBLISHED_HU, dtype=np.int16)
    ct[index] = np.clip(np.rint(values) - STORED_OFFSET, -STORED_OFFSET, HIGHEST_HU)
    arrays: dict[str, NDArray[np.generic]] = {"ct": _oriented(ct), "body": _mask(index)}
    y, x, z = np.loadtxt(folder / "voxel_dimensions.csv", dtype=np.float64)
    arrays["spacing_mm"] = np.array((z, y, x))
    return arrays


def _read_organ(folder: Path, name: str) -> Mask:
    return _mask(_sparse(folder / f"{name}.csv")[0])


def convert(source: Path, target: Path) -> tuple[Path, ...]:
    """Convert one published patient, or a folder of them (`pt_N`), into `target/pt_N.npz`.

    Returns the files written, in order of N. Raises FileNotFoundError where there is no patient.
    """
    patients = published(source)
    if not patients:
        raise FileNotFoundError(f"no patient (a folder with ct.csv) in {source}")
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for patient in patients:
        path = target / f"{patient.name}.npz"
        part = target / f"{patient.name}.part"
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **read_csv_patient(patient))
        part.rename(path)
        LOGGER.info("%s converted", patient.name)
        written.append(path)
    return tuple(written)


def _sparse(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Flat indices and values of a published file; values are nan where it holds a mask."""
    lines = path.read_text(encoding="ascii").splitlines()[1:]
    if not lines:
        return np.empty(0, dtype=np.int64), np.empty(0)
    table = np.genfromtxt(lines, delimiter=",", ndmin=2, dtype=np.float64)
    index = table[:, 0].astype(np.int64)
    if index.min() < 0 or index.max() >= SIDE**3:
        raise ValueError(f"{path.name}: an index is outside {SIDE} x {SIDE} x {SIDE}")
    return index, table[:, -1]


def _mask(index: NDArray[np.int64]) -> Mask:
    flat = np.zeros(SIDE**3, dtype=np.bool_)
    flat[index] = True
    return _oriented(flat)


def _oriented(flat: NDArray[T]) -> NDArray[T]:
    """From flat (y, x, z) with z toward the feet to (z, y, x) with z toward the head."""
    turned = flat.reshape(SIDE, SIDE, SIDE).transpose(2, 0, 1)[::-1]
    return np.ascontiguousarray(turned)


def _number(path: Path) -> int:
    digits = "".join(c for c in path.stem if c.isdigit())
    return int(digits) if digits else 0
