"""nnU-Net's data sets: a label map a patient, on the grid of its image.

`imagesTr/<case>_0000.nii.gz`, `labelsTr/<case>.nii.gz`; the names of labels and channels are in
`dataset.json`. A label map has its image's geometry: nnU-Net lays one on the other voxel by voxel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK

from oarflow.datasets.cases import Case, LazyMasks
from oarflow.datasets.grids import difference
from oarflow.datasets.image_files import image_files, mapped, read_axial
from oarflow.datasets.images import ENDINGS, is_image, read_image, stem
from oarflow.datasets.itk_files import open_image, read_turned, stored_grid
from oarflow.datasets.label_values import LARGEST_LABEL, Labels, label_map
from oarflow.json_files import read_json
from oarflow.organs import Catalogue, load_catalogue
from oarflow.types import Mask
from oarflow.volume import Image

BACKGROUND = "background"
IGNORE = "ignore"
"""nnU-Net's name of the label of unlabelled voxels."""

_itk: Any = SimpleITK  # its functions are untyped


@dataclass(frozen=True)
class DataSetDescription:
    """The content of `dataset.json`. ct, mr: numbers of the channels. organs: values by
    name, several for a region. ignore: the value of unlabelled voxels, or None.
    """

    ct: int
    mr: int | None
    organs: Mapping[str, tuple[int, ...]]
    ignore: int | None

    @property
    def values(self) -> frozenset[int]:
        """All that a label map may hold."""
        named = {value for values in self.organs.values() for value in values}
        return frozenset(named | {0} | ({self.ignore} if self.ignore is not None else set()))


class NnUnet(Mapping[str, Case]):
    """The training patients of an nnU-Net data set, in order of their ids.

    A patient's CT and label map are read when the case is asked for, its MR when it is. Asking
    raises ValueError where a file is no image, the label map or the MR lies on another grid than
    the CT, or the label map holds values that `dataset.json` does not name. left_out: images
    without a label map.

    Raises ValueError where `dataset.json` cannot be used, or there is no label map.
    """

    def __init__(self, folder: Path, catalogue: Catalogue | None = None) -> None:
        self._folder = folder
        self._catalogue = catalogue or load_catalogue()
        self._table = read_description(folder / "dataset.json", self._catalogue)
        self._label_maps = {stem(path): path for path in image_files(folder / "labelsTr")}
        if not self._label_maps:
            raise ValueError(_no_label_map(folder))
        images = {stem(path)[: -len("_0000")] for path in image_files(folder / "imagesTr")}
        without = sorted(images - set(self._label_maps) - {""})
        self.left_out = dict.fromkeys(without, "it has no label map in labelsTr")

    def __getitem__(self, case_id: str) -> Case:
        table, labels_path = self._table, self._label_maps[case_id]
        ct_path = self._image(case_id, table.ct)
        ct, grid = read_axial(ct_path)
        _require_same_grid(labels_path, ct_path)
        labels = _read_labels(labels_path, table)
        organs, unmapped = mapped(table.organs, self._catalogue)
        x, y, z = (float(mm) for mm in grid.positions_lps[0])
        mr = None if table.mr is None else self._image(case_id, table.mr)
        return Case(
            case_id,
            ct,
            grid.spacing_zyx,
            LazyMasks(tuple(organs), partial(_organ, labels, organs)),
            origin_lps=(x, y, z),
            unmapped=unmapped,
            read_mr=partial(_read_mr, mr, ct_path) if mr else None,
            read_ignored=None if table.ignore is None else partial(_value, labels, table.ignore),
        )

    def _image(self, case_id: str, channel: int) -> Path:
        ending = self._label_maps[case_id].name[len(case_id) :]
        return self._folder / "imagesTr" / f"{case_id}_{channel:04d}{ending}"

    def __iter__(self) -> Iterator[str]:
        return iter(self._label_maps)

    def __len__(self) -> int:
        return len(self._label_maps)

    def __contains__(self, case_id: object) -> bool:
        return case_id in self._label_maps


def is_nnunet(folder: Path) -> bool:
    """Whether a folder is an nnU-Net data set: `dataset.json`, with labelsTr or names of labels."""
    path = folder / "dataset.json"
    if not path.is_file():
        return False
    if (folder / "labelsTr").is_dir():
        return True
    try:
        about = read_json(path)
    except ValueError:
        return False
    return isinstance(about, dict) and "labels" in about


def read_description(path: Path, catalogue: Catalogue) -> DataSetDescription:
    """Read `dataset.json`. Raises ValueError for what is missing or would give organs away."""
    try:
        about = read_json(path)
        if not isinstance(about, dict):
            raise ValueError("it is no table")
        channels = _channels(about)
        labels = _labels(about.get("labels"))
    except ValueError as error:
        raise ValueError(f"dataset.json names no channels or no labels: {error}") from None
    if "dataset" in about:
        raise ValueError(
            "dataset.json lists the files of its cases ('dataset'); such lists are not read: put "
            "or link the files into imagesTr (<case>_0000) and labelsTr (<case>)"
        )
    ct, mr = (_channel(channels, kind) for kind in ("CT", "MR"))
    if ct is None:
        raise ValueError(f"dataset.json names no CT among its channels: {_listed(channels)}")
    _check(labels, catalogue)
    ignore = {name: values for name, values in labels.items() if name.lower() == IGNORE}
    organs = {
        name: values for name, values in labels.items() if name not in ignore and values != (0,)
    }
    unknown = next(iter(ignore.values()), (None,))[0]
    return DataSetDescription(ct, mr, organs, unknown)


def _check(labels: Mapping[str, tuple[int, ...]], catalogue: Catalogue) -> None:
    """Refuse tables in which a voxel's value does not say what it is."""
    single = Counter(values[0] for values in labels.values() if len(values) == 1)
    for name, values in labels.items():
        if name.lower() == BACKGROUND and values != (0,):
            raise ValueError(f"dataset.json: background has the value {_listed(values)}, not 0")
        if 0 in values and (len(values) > 1 or catalogue.resolve(name) is not None):
            raise ValueError(f"dataset.json: {name} has the value 0, which is the background")
        if name.lower() == IGNORE and (len(values) > 1 or values == (0,)):
            raise ValueError(f"dataset.json: ignore has the value {_listed(values)}; one is needed")
        if name.lower() == IGNORE and sum(values[0] in other for other in labels.values()) > 1:
            raise ValueError(f"dataset.json: ignore shares the value {values[0]} with a label")
    if twice := [value for value, count in single.items() if count > 1]:
        shared = [name for name, values in labels.items() if values == (twice[0],)]
        raise ValueError(f"dataset.json: {_listed(shared)} share the value {twice[0]}")


def _channels(about: Mapping[str, Any]) -> dict[int, str]:
    named = about.get("channel_names") or about.get("modality")
    if not isinstance(named, dict) or not named:
        raise ValueError("channel_names is missing or no table")
    return {_whole(number, "a channel's number"): str(name) for number, name in named.items()}


def _labels(named: object) -> dict[str, tuple[int, ...]]:
    """Values by name: earlier versions of the format had them the other way round."""
    if not isinstance(named, dict):
        raise ValueError("labels is missing or no table")
    found: dict[str, tuple[int, ...]] = {}
    for one, other in named.items():
        turned = one.isdecimal() and isinstance(other, str) and not other.isdecimal()
        name, stored = (str(other), one) if turned else (one, other)
        if name in found:
            raise ValueError(f"{name!r} appears twice")
        values = stored if isinstance(stored, list) else [stored]
        found[name] = tuple(_whole(value, f"the value of {name!r}") for value in values)
        if not values:
            raise ValueError(f"{name!r} has no value")
    return found


def _whole(stored: object, what: str) -> int:
    """A whole number of 0 to 65535, given as one or in digits."""
    if isinstance(stored, str) and stored.isdecimal():
        stored = int(stored)
    if isinstance(stored, float) and stored.is_integer():
        stored = int(stored)
    if isinstance(stored, bool) or not isinstance(stored, int):
        raise ValueError(f"{what} is {stored!r}, no whole number")
    if not 0 <= stored <= LARGEST_LABEL:
        raise ValueError(f"{what} is {stored}, not 0 to {LARGEST_LABEL}")
    return stored


def _channel(channels: Mapping[int, str], kind: str) -> int | None:
    named = (number for number, name in channels.items() if name.upper().startswith(kind))
    return next(named, None)


def _no_label_map(folder: Path) -> str:
    place = folder / "labelsTr"
    if not place.is_dir():
        return f"{folder.name}: dataset.json is there, and no folder labelsTr"
    others = sorted({path.suffix or path.name for path in place.iterdir() if not is_image(path)})
    held = f"; it holds {', '.join(others[:5])}" if others else ""
    return f"{folder.name}: labelsTr holds no file that is read ({', '.join(ENDINGS)}){held}"


def _require_same_grid(other: Path, image: Path) -> None:
    """Raises ValueError, naming what differs and both grids, where two files lie otherwise."""
    one, two = (stored_grid(open_image(path)) for path in (other, image))
    if differs := difference(one, two):
        raise ValueError(
            f"{other.name} lies on another grid than its image {image.name}: {differs}. "
            f"{other.name}: {one}. {image.name}: {two}"
        )


def _read_labels(path: Path, table: DataSetDescription) -> Labels:
    values = _itk.GetArrayFromImage(read_turned(path))
    try:
        return label_map(values, table.values)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _read_mr(path: Path, ct: Path) -> Image:
    _require_same_grid(path, ct)
    return read_image(path)


def _organ(labels: Labels, organs: Mapping[str, tuple[int, ...]], organ: str) -> Mask:
    return np.isin(labels, organs[organ])


def _value(labels: Labels, value: int) -> Mask:
    return np.asarray(labels == value)


def _listed(items: object) -> str:
    names = items.values() if isinstance(items, Mapping) else items
    return ", ".join(map(str, names))  # type: ignore[call-overload]
