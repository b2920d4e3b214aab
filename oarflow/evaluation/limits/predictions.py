"""What the networks say of OpenKBP's patients, kept: calibration asks for it again and again.

The application's own way from Volume to segmentations, without DICOM and before plausibility.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from oarflow.datasets.cases import Case
from oarflow.evaluation.application import what_counts
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.locations import PACKAGE
from oarflow.networks.store import ModelStore
from oarflow.segmentation.search import find_organs
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Localization, ProbabilityField, Segmentation, Side, Status
from oarflow.volume import Source, Volume

LOGGER = logging.getLogger(__name__)

SOURCES = (
    "networks",
    "segmentation",
    "faces.py",
    "geometry.py",
    "masks.py",
    "priors.json",
    "priors.py",
    "structures.py",
    "types.py",
)
"""Parts of oarflow that decide what a network's field looks like: a change empties the cache."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """One patient. segmentations: as the `Segmenter` gave them, seconds left out."""

    volume: Volume
    localizations: Mapping[str, Localization]
    segmentations: tuple[Segmentation, ...]


def volume_of(case: Case) -> Volume:
    """A case as the application's Volume on its own grid, without DICOM identity."""
    uids = tuple(f"1.2.3.{k}" for k in range(len(case.ct)))
    source = Source("1.2.1", "1.2.2", "1.2.4", "1.2.5", uids, Dataset(), "")
    return Volume(case.ct.astype(np.float32), case.grid, source)


def published(case: Case) -> Case:
    """The case on the slices where its CT was published."""
    if case.body is None or not case.body.any():
        return case
    planes = np.flatnonzero(case.body.any(axis=(1, 2)))
    return case.cropped(int(planes[0]), int(planes[-1]))


class Predictions:
    """Predictions of the networks in a models folder, each made once and kept in a cache."""

    def __init__(self, models: Path, cache: Path) -> None:
        self._store = ModelStore.open(models)
        self._folder = cache / _digest(models)[:16]
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def organs(self) -> tuple[str, ...]:
        """Organs that the networks and rules contour without a request."""
        return self._store.organs_by_default

    def of(self, case: Case) -> Predicted:
        """What the networks say of a case, cropped to its published slices."""
        volume = volume_of(case)
        stored = self._folder / f"{case.id}.npz"
        if not stored.is_file():
            self._predict(volume, stored)
            LOGGER.info("%s predicted", case.id)
        localizations, segmentations = _read(stored)
        models = self._store.identities
        named = tuple(
            replace(item, model=models[item.organ])
            for item in segmentations
            if item.organ in self.organs
        )
        return Predicted(volume, localizations, named)

    def _predict(self, volume: Volume, target: Path) -> None:
        localizations = find_organs(volume, self._store)
        segmenter = Segmenter(volume, localizations, self._store, shifts=True)
        segmentations = [segmenter.segment(organ) for organ in self.organs]
        part = target.with_suffix(".part")
        with part.open("wb") as file:
            np.savez_compressed(file, **_arrays(localizations, segmentations))
        part.rename(target)


def _arrays(
    localizations: Mapping[str, Localization], segmentations: Sequence[Segmentation]
) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    organs = []
    for item in segmentations:
        plain: dict[str, Any] = {
            "organ": item.organ,
            "status": item.status.value,
            "flags": [[flag.code, dict(flag.values)] for flag in item.flags],
            "volume_cc": item.volume_cc,
            "slices": item.slices,
        }
        if item.field is not None:
            field = item.field
            plain |= {
                "offset": field.offset,
                "threshold": field.threshold,
                "clipped": field.clipped,
                "steadiness": field.steadiness,
            }
            # Cut off, not rounded: what lies at the threshold stays inside.
            arrays[item.organ] = field.values.view(np.uint32) >> np.uint32(8)
        organs.append(plain)
    found = [
        {**one.__dict__, "cut": sorted(side.value for side in one.cut)}
        for one in localizations.values()
    ]
    arrays["facts"] = np.array(json.dumps({"organs": organs, "localizations": found}))
    return arrays


def _read(path: Path) -> tuple[dict[str, Localization], tuple[Segmentation, ...]]:
    with np.load(path) as arrays:
        facts = json.loads(str(arrays["facts"]))
        fields = {name: _floats(arrays[name]) for name in arrays.files if name != "facts"}
    found = {one["organ"]: _localization(one) for one in facts["localizations"]}
    return found, tuple(_segmentations(facts["organs"], fields, found))


def _floats(stored: NDArray[np.uint32]) -> NDArray[np.float32]:
    return (stored << np.uint32(8)).view(np.float32)


def _localization(plain: Mapping[str, Any]) -> Localization:
    as_tuple = {
        key: None if plain[key] is None else tuple(plain[key])
        for key in ("centroid_lps", "extent_mm", "slices")
    }
    cut = frozenset(Side(side) for side in plain["cut"])
    return Localization(
        plain["organ"],
        plain["present"],
        plain["score"],
        **as_tuple,
        cut=cut,
        by_neighbours=plain["by_neighbours"],
    )


def _segmentations(
    organs: Sequence[Mapping[str, Any]],
    fields: Mapping[str, NDArray[np.float32]],
    found: Mapping[str, Localization],
) -> Iterator[Segmentation]:
    for plain in organs:
        organ = plain["organ"]
        item = Segmentation(
            organ,
            Status(plain["status"]),
            flags=tuple(Flag.of(FlagCode(code), **values) for code, values in plain["flags"]),
            volume_cc=plain["volume_cc"],
            slices=plain["slices"],
            localization=found.get(organ),
        )
        if organ in fields:
            z, y, x = plain["offset"]
            named = {name: plain[name] for name in ("threshold", "clipped", "steadiness")}
            field = ProbabilityField(fields[organ], (z, y, x), **named)
            item = replace(item, field=field)
        yield item


def _digest(models: Path) -> str:
    digest = hashlib.sha256()
    for path in (*_sources(PACKAGE), *sorted(models.glob("*/model.json"))):
        digest.update(path.name.encode() + b"\0" + what_counts(path))
    return digest.hexdigest()


def _sources(package: Path) -> list[Path]:
    """Files of `SOURCES`. Raises FileNotFoundError for a name that is not there any more."""
    found = []
    for name in SOURCES:
        place = package / name
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        if not files or not files[0].is_file():
            raise FileNotFoundError(f"{name} is no part of {package}: mend SOURCES")
        found += files
    return found
