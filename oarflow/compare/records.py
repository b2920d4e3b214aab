"""The record of a physicist's edits of one structure set, and its JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from oarflow.compare.matching import Matching

RECORD_SCHEMA = "oarflow-edits"


class Change(StrEnum):
    """The change of a delivered organ."""

    KEPT = "kept"
    EDITED = "edited"
    DELETED = "deleted"
    ADDED = "added"


@dataclass(frozen=True)
class OrganEdit:
    """One organ. Distances in mm, volumes in cm3.

    surface_dice: at the record's tolerance_mm. added_path_mm: length of newly drawn outline.
    slices_touched: edited slices, of those that hold the organ before or after. network: of the
    delivered organ; None for an organ that the physicist added.
    """

    organ: str
    change: Change
    network: str | None
    surface_dice: float
    dice: float
    hd95_mm: float | None
    added_path_mm: float
    volume_before_cc: float
    volume_after_cc: float
    slices_touched: int
    slices: int


@dataclass(frozen=True)
class EditRecord:
    """All organs of one structure set. started: of the run that made it, ISO 8601.

    left_out: names of returned regions on another frame of reference than the CT's.
    not_matched: delivered organs that were either deleted or returned under another name; they have
    no figures. matching: the pairs with the returned names; not stored, because names may hold
    patient data.
    """

    rtstruct: str
    started: str
    tolerance_mm: float
    organs: tuple[OrganEdit, ...]
    left_out: tuple[str, ...] = ()
    not_matched: tuple[str, ...] = ()
    matching: Matching | None = field(default=None, compare=False)

    def as_json(self) -> str:
        """The record as JSON, without patient data."""
        stored = {key: value for key, value in self.__dict__.items() if key != "matching"}
        stored["organs"] = [asdict(organ) for organ in self.organs]
        return json.dumps({"schema": RECORD_SCHEMA, **stored}, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> EditRecord:
        """Read a record. Raises ValueError where the file is not one."""
        try:
            stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if stored.pop("schema") != RECORD_SCHEMA:
                raise ValueError("another schema")
            organs = [{**organ, "change": Change(organ["change"])} for organ in stored["organs"]]
            edits = tuple(OrganEdit(**organ) for organ in organs)
            names = {key: tuple(stored.get(key, ())) for key in ("left_out", "not_matched")}
            return cls(**{**stored, "organs": edits, **names})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} is not a record of edits: {error}") from error
