"""Data sets of image files (NRRD, NIfTI): a CT, perhaps an MR, and a mask per organ.

What differs between them is where the files lie. Each layout is a function from a folder to its
patients; `ImageFileSet` hands them on as cases.

- HaN-Seg (Podobnik et al., Medical Physics 50 (2023) 1917): `set_1/case_01/case_01_IMG_CT.nrrd`,
  `case_01_IMG_MR_T1.nrrd`, `case_01_OAR_<organ>.seg.nrrd`.
- PDDCA, of the MICCAI 2015 challenge (Raudaschl et al., Medical Physics 44 (2017) 2020):
  `0522c0001/img.nrrd`, `0522c0001/structures/<organ>.nrrd`.
- Folders: one a patient, the CT named `ct`, `image` or `img`, the MR `mr`, the masks beside them or
  in `structures`, `segmentations` or `masks`, each named after its organ.

nnU-Net's layout, a label map a patient, is `oarflow.datasets.nnunet`'s.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from oarflow.datasets.cases import Case, LazyMasks, Voxels
from oarflow.datasets.images import (
    ENDINGS,
    is_axial,
    is_image,
    read_hu,
    read_image,
    read_mask,
    stem,
)
from oarflow.geometry import Grid
from oarflow.organs import Catalogue, load_catalogue
from oarflow.types import Mask

T = TypeVar("T")

MASK_FOLDERS = ("structures", "segmentations", "masks")
CT_NAMES = frozenset({"ct", "image", "img"})
MR_NAMES = frozenset({"mr", "mr_t1", "mri"})

_HANSEG = re.compile(r"^(?P<case>.+)_(?:IMG_(?P<image>CT|MR_T1)|OAR_(?P<organ>.+))$")


def organ_name(path: Path) -> str | None:
    """What a file beside other contours calls its organ; None where it is no mask of one.

    By its whole name, or HaN-Seg's `case_01_OAR_<organ>`. A CT and an MR are none.
    """
    if not is_image(path):
        return None
    name = stem(path)
    match = _HANSEG.match(name)
    if match is None:
        return None if name.lower() in CT_NAMES | MR_NAMES else name
    organ: str | None = match["organ"]
    return organ


@dataclass(frozen=True)
class PatientFiles:
    """One patient's files. masks: by the names that the data set gives them."""

    ct: Path
    masks: Mapping[str, Path]
    mr: Path | None = None


@dataclass(frozen=True)
class FoundPatients:
    """A layout's patients by id, and folders that hold masks but cannot be one, with the reason."""

    patients: Mapping[str, PatientFiles]
    left_out: Mapping[str, str]


class ImageFileSet(Mapping[str, Case]):
    """Patients of image files as cases, in order of their ids.

    CT, masks and MR are read on access. Names are mapped by the catalogue's aliases. Access raises
    ValueError for a file that is no image, an oblique CT, or a mask that does not fit the CT.
    left_out: folders that are no patient, with the reason.
    """

    def __init__(
        self,
        patients: Mapping[str, PatientFiles],
        catalogue: Catalogue | None = None,
        left_out: Mapping[str, str] | None = None,
    ) -> None:
        self.left_out = dict(left_out or {})
        self._patients = dict(sorted(patients.items()))
        self._catalogue = catalogue or load_catalogue()

    def __getitem__(self, case_id: str) -> Case:
        files = self._patients[case_id]
        ct, grid = read_axial(files.ct)
        organs, unmapped = mapped(files.masks, self._catalogue)
        x, y, z = (float(mm) for mm in grid.positions_lps[0])
        return Case(
            case_id,
            ct,
            grid.spacing_zyx,
            LazyMasks(tuple(organs), partial(_mask, organs, grid)),
            origin_lps=(x, y, z),
            unmapped=unmapped,
            read_mr=partial(read_image, files.mr) if files.mr else None,
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._patients)

    def __len__(self) -> int:
        return len(self._patients)

    def __contains__(self, case_id: object) -> bool:
        return case_id in self._patients


def read_axial(path: Path) -> tuple[Voxels, Grid]:
    """A CT as `read_hu` reads it. Raises ValueError where its axes are oblique, too."""
    ct, grid = read_hu(path)
    if not is_axial(grid):
        raise ValueError(f"{path.name}: its axes are oblique; resample it to axial slices")
    return ct, grid


def _mask(organs: Mapping[str, Path], grid: Grid, organ: str) -> Mask:
    return read_mask(organs[organ], grid)


def mapped(names: Mapping[str, T], catalogue: Catalogue) -> tuple[dict[str, T], tuple[str, ...]]:
    """Items by catalogue name in its order, and the names that are not used.

    Of two names that mean one organ, the one spelled as the catalogue does is used, else the first.
    """
    found: dict[str, str] = {}
    unmapped = []
    for name in sorted(names, key=lambda name: (name not in catalogue, name)):
        organ = catalogue.resolve(name)
        if organ is None or organ.name in found:
            unmapped.append(name)
        else:
            found[organ.name] = name
    ordered = {organ: names[found[organ]] for organ in catalogue.names if organ in found}
    return ordered, tuple(sorted(unmapped))


def hanseg(folder: Path) -> FoundPatients:
    """HaN-Seg's patients of a folder: a set (`set_1`), what holds it, or one patient."""
    found = {}
    others = []
    for place in _folders(folder):
        images: dict[str, Path] = {}
        labels: dict[str, Path] = {}
        for path in image_files(place):
            match = _HANSEG.match(stem(path))
            if match is None:
                continue
            if organ := match["organ"]:
                labels[organ] = path
            else:
                images[match["image"]] = path
        if "CT" in images:
            found[place] = PatientFiles(images["CT"], labels, images.get("MR_T1"))
        elif images or labels:
            others.append(place)
    return _named(found, dict.fromkeys(others, "it holds no CT (<case>_IMG_CT)"))


def organ_folders(folder: Path) -> FoundPatients:
    """One folder a patient: PDDCA's, and any with a CT and a file per organ."""
    found = {}
    others = {}
    bare = {}
    for place in _folders(folder):
        images = list(image_files(place))
        ct = [path for path in images if stem(path).lower() in CT_NAMES]
        if len(ct) != 1:
            if place.name in MASK_FOLDERS or place.name.startswith("."):
                continue
            if images or any(image_files(place / name) for name in MASK_FOLDERS):
                others[place] = f"{len(ct)} CT; exactly one is needed (ct, image or img)"
            else:
                bare[place] = f"it holds no file that is read ({', '.join(ENDINGS)})"
            continue
        mr = [path for path in images if stem(path).lower() in MR_NAMES]
        beside = [path for name in MASK_FOLDERS for path in image_files(place / name)]
        labels = beside or [path for path in images if path not in (*ct, *mr)]
        found[place] = PatientFiles(
            ct[0], {stem(path): path for path in labels}, mr[0] if mr else None
        )
    return _named(found, {**others, **bare} if found else others)


LAYOUTS: Mapping[str, Callable[[Path], FoundPatients]] = {
    "HaN-Seg": hanseg,
    "a file per organ": organ_folders,
}
"""Layouts that OARflow recognizes by file names alone."""


def _named(found: Mapping[Path, PatientFiles], others: Mapping[Path, str]) -> FoundPatients:
    """Patients by their folders' names; of one name in several parts, by the part's name as well.

    Of the others only those beside patients: what lies within or above one is a part of it. All of
    them where there is no patient. Raises ValueError where names are still the same.
    """
    if not found:
        return FoundPatients({}, {place.name: why for place, why in others.items()})
    above = {parent for place in found for parent in place.parents}
    beside = {place.parent for place in found}
    listed = {
        place: why for place, why in others.items() if place.parent in beside and place not in above
    }
    counts = Counter(place.name for place in (*found, *listed))
    names = {
        place: place.name if counts[place.name] == 1 else f"{place.parent.name}_{place.name}"
        for place in (*found, *listed)
    }
    if twice := [name for name, n in Counter(names.values()).items() if n > 1]:
        raise ValueError(f"several patients are called {twice[0]}: open their parts one by one")
    return FoundPatients(
        {names[place]: files for place, files in found.items()},
        {names[place]: why for place, why in listed.items()},
    )


def _folders(folder: Path) -> Iterable[Path]:
    """A folder, those in it and those in them: data sets come in parts (`set_1`, `part1`)."""
    yield folder
    for depth in ("*", "*/*"):
        yield from sorted(path for path in folder.glob(depth) if path.is_dir())


def image_files(folder: Path) -> tuple[Path, ...]:
    """The files of a folder whose names end like an image's that is read, by name."""
    if not folder.is_dir():
        return ()
    return tuple(sorted(path for path in folder.iterdir() if is_image(path) and path.is_file()))
