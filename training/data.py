"""A data set as training reads it: parted by patient, with derived labels and MRs where asked.

None lies in memory whole: patients pass one after another, or their images wait on the disk. A
patient that cannot be read is left out, named in a warning, and counted.
"""

from __future__ import annotations

import logging
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pydicom.errors import InvalidDicomError

from datasets.cases import Case
from datasets.derived.store import with_derived
from datasets.opening import open_data_set
from datasets.openkbp import OpenKbp
from datasets.reading import each
from datasets.split import OPENKBP_SPLIT, Split
from oarflow.errors import Refusal
from oarflow.rtstruct.errors import ReadError
from training.cases import TrainingCase, training_case
from training.paired import paired
from training.proposals import with_proposals
from training.shelf import shelved

LOGGER = logging.getLogger(__name__)

T = TypeVar("T")

UNREADABLE = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, InvalidDicomError, Refusal, ReadError),
)
"""What the readers of the layouts raise for files that are damaged, missing or refused."""

OPENKBP_NAME = "OpenKBP (open-kbp, MIT licence), training patients"


@dataclass(frozen=True)
class _Unread:
    """In place of a patient that could not be read. missing: the folder does not hold it."""

    reason: str
    missing: bool = False


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The patients of a folder; read from it when asked for.

    name: what a model card says of the data; None where nobody said. derived: a folder of derived
    labels (datasets.derived) that are read with the drawn ones. proposed: the same of labels that
    networks proposed where nobody drew any (training.proposals). unreadable: the patients that were
    to be read and could not be, so far, with the reason.
    """

    patients: Mapping[str, Case]
    split: Split
    name: str | None = None
    derived: Path | None = None
    proposed: Path | None = None
    unreadable: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        folder: Path,
        split: Path | None = None,
        derived: Path | None = None,
        name: str | None = None,
    ) -> TrainingData:
        """A folder in any layout that datasets.opening knows.

        split: None for OpenKBP's own table, or, elsewhere, 85/15 by patient with a fixed seed.
        Raises FileNotFoundError, ValueError.
        """
        patients = open_data_set(folder)
        if isinstance(patients, OpenKbp):
            return cls(patients, Split.read(split or OPENKBP_SPLIT), name or OPENKBP_NAME, derived)
        parted = Split.by_patient(patients) if split is None else Split.read(split)
        return cls(patients, parted, name, derived)

    def everyone(self) -> TrainingData:
        """The same patients, all of whom fit."""
        return replace(self, split=self.split.everyone())

    def fold(self, number: int, count: int) -> TrainingData:
        """The same patients, one of `count` parts of all of them held out; number from 1."""
        return replace(self, split=self.split.fold(number, count))

    def read(
        self, ids: Sequence[str], *, mr: bool = False, organ: str | None = None
    ) -> Iterator[TrainingCase]:
        """Patients one after another, without the labels that the split leaves out.

        The next ones are read meanwhile. mr: with the registered MR. organ: this one's label alone.
        """
        return (case for _, case in self._each(ids, lambda one: self._read(one, mr, organ)))

    def keep(
        self, ids: Sequence[str], scratch: Path, *, mr: bool = False, organ: str | None = None
    ) -> list[TrainingCase]:
        """The same, all at hand to draw samples from, their images in a file in `scratch`."""
        return shelved(self.read(ids, mr=mr, organ=organ), scratch)

    def unsplit(self) -> Iterator[TrainingCase]:
        """All patients of the folder with all their labels, one after another."""
        everyone = self._each(list(self.patients), lambda one: training_case(self._labelled(one)))
        return (case for _, case in everyone)

    def labelled(self, organ: str) -> list[str]:
        """The patients of both parts that have a label of an organ, fitting ones first."""
        everyone = (*self.split.fit, *self.split.tune)
        found = self._each(everyone, lambda one: organ in self._labelled(one).masks)
        return [one for one, there in found if there and organ not in self._excluded(one)]

    def spacings(self) -> Iterator[tuple[str, tuple[float, float, float]]]:
        """Each patient of both parts, with its voxels' (z, y, x) mm."""
        return self._each(
            (*self.split.fit, *self.split.tune), lambda one: self._labelled(one).spacing_zyx
        )

    def count(self, organs: Collection[str]) -> int:
        """How many fitting patients have a label of one of the organs."""
        found = {one for organ in organs for one in self.labelled(organ)}
        return len(found & set(self.split.fit))

    def _read(self, patient: str, mr: bool, organ: str | None) -> TrainingCase:
        case = self._labelled(patient)
        excluded = self._excluded(patient)
        if organ is not None:
            excluded |= set(case.masks) - {organ}
        read = (paired if mr else training_case)(case, excluded)
        if self.proposed is not None and patient in self.split.fit:
            read = with_proposals(read, self.proposed, None if organ is None else (organ,))
        return read

    def _each(self, ids: Sequence[str], function: Callable[[str], T]) -> Iterator[tuple[str, T]]:
        """Each patient with what `function` makes of it; those that cannot be read are left out.

        Raises ValueError where there were some, and none of them could be read.
        """
        read = lost = missing = 0
        reason = ""
        for one, made in each(ids, lambda patient: self._attempt(patient, function)):
            if isinstance(made, _Unread):
                lost, reason = lost + 1, made.reason
                missing += made.missing
                if one not in self.unreadable:
                    LOGGER.warning("%s is left out: %s", one, reason)
                    self.unreadable[one] = reason
            else:
                read += 1
                yield one, made
        if lost and not read:
            if missing == lost:
                raise ValueError(
                    f"the folder holds none of the {lost} patients that the split names:"
                    " give --split the table that belongs to it"
                )
            raise ValueError(f"none of {lost} patients could be read; the last one: {reason}")
        if missing:
            LOGGER.warning(
                "%d of the %d patients that the split names are not in the folder",
                missing,
                len(ids),
            )
        if lost > missing:
            LOGGER.warning(
                "%d of %d patients in the folder could not be read, and are left out",
                lost - missing,
                len(ids) - missing,
            )

    def _attempt(self, patient: str, function: Callable[[str], T]) -> T | _Unread:
        if patient not in self.patients:
            return _Unread("the split names it, and the folder does not hold it", missing=True)
        try:
            return function(patient)
        except UNREADABLE as error:
            words = " ".join(str(error).split()) or "no reason given"
            return _Unread(f"it cannot be read ({type(error).__name__}: {words})")

    def _labelled(self, patient: str) -> Case:
        case = self.patients[patient]
        return case if self.derived is None else with_derived(case, self.derived)

    def _excluded(self, patient: str) -> set[str]:
        return {organ for organ, one in self.split.excluded if one == patient}
