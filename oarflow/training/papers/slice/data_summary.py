"""Facts of the data for the page of SLICE's experiment: name, patients, voxels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from oarflow.errors import ConfigurationError
from oarflow.training.data.data_set import TrainingData

SUMMARY_NAME = "data.json"

Range = tuple[float, float]


@dataclass(frozen=True)
class DataSummary:
    """The patients of the split that could be read. pixel_mm, slice_mm: least and greatest."""

    name: str
    patients: int
    pixel_mm: Range
    slice_mm: Range


def data_summary(data: TrainingData, folder: Path) -> DataSummary:
    """The summary that lies in the results' folder, or one of the data, which is put there.

    Raises ValueError for data without a name, and where no patient can be read.
    """
    path = folder / SUMMARY_NAME
    if path.is_file():
        saved = json.loads(path.read_text(encoding="utf-8"))
        return DataSummary(
            saved["name"], saved["patients"], tuple(saved["pixel_mm"]), tuple(saved["slice_mm"])
        )
    spacings = [spacing for _, spacing in data.spacings()]
    if not spacings:
        raise ValueError("the split names no patients")
    in_plane = [step for _, y, x in spacings for step in (y, x)]
    summary = DataSummary(
        require_name(data), len(spacings), _range(in_plane), _range(z for z, _, _ in spacings)
    )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(summary), indent=2) + "\n", encoding="utf-8")
    return summary


def require_name(data: TrainingData) -> str:
    """The data's name. Raises ConfigurationError where none was given."""
    if data.name is None:
        message = "--data-name is needed: the page and the results' folder bear it"
        raise ConfigurationError("USAGE", message)
    return data.name


def range_text(values: Range) -> str:
    """A range in words; one number where it is one."""
    low, high = (f"{value:.4g}" for value in values)
    return low if low == high else f"{low} to {high}"


def _range(values: Iterable[float]) -> Range:
    ordered = sorted(values)
    return float(ordered[0]), float(ordered[-1])
