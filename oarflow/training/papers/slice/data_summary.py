"""What SLICE's experiment says of its data: name, patients, voxels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.training.data import TrainingData

FACTS_NAME = "data.json"

Range = tuple[float, float]


@dataclass(frozen=True)
class DataFacts:
    """The patients of the split that could be read. pixel_mm, slice_mm: least and greatest."""

    name: str
    patients: int
    pixel_mm: Range
    slice_mm: Range


def data_facts(data: TrainingData, folder: Path) -> DataFacts:
    """The facts that lie in the results' folder, or those of the data, which are put there.

    Raises ValueError for data without a name, and where no patient can be read.
    """
    path = folder / FACTS_NAME
    if path.is_file():
        saved = json.loads(path.read_text(encoding="utf-8"))
        return DataFacts(
            saved["name"], saved["patients"], tuple(saved["pixel_mm"]), tuple(saved["slice_mm"])
        )
    spacings = [spacing for _, spacing in data.spacings()]
    if not spacings:
        raise ValueError("the split names no patients")
    in_plane = [step for _, y, x in spacings for step in (y, x)]
    facts = DataFacts(
        named(data), len(spacings), _range(in_plane), _range(z for z, _, _ in spacings)
    )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(facts), indent=2) + "\n", encoding="utf-8")
    return facts


def named(data: TrainingData) -> str:
    """The data's name. Raises ConfigurationError where nobody said one."""
    if data.name is None:
        said = "--data-name is needed: the page and the results' folder bear it"
        raise ConfigurationError("USAGE", said)
    return data.name


def said(values: Range) -> str:
    """A range in words; one number where it is one."""
    low, high = (f"{value:.4g}" for value in values)
    return low if low == high else f"{low} to {high}"


def _range(values: Iterable[float]) -> Range:
    ordered = sorted(values)
    return float(ordered[0]), float(ordered[-1])
