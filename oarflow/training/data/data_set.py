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

from oarflow.datasets.cases import Case
from oarflow.datasets.derived.store import ORGANS as DERIVED_ORGANS
from oarflow.datasets.derived.store import with_derived
from oarflow.datasets.experts import Experts
from oarflow.datasets.naming import unknown_names
from oarflow.datasets.opening import open_data_set
from oarflow.datasets.openkbp import OpenKbp, OpenKbpCsv
from oarflow.datasets.reading import each
from oarflow.datasets.split import OPENKBP_SPLIT, Split
from oarflow.errors import Refusal
from oarflow.networks.card import (
    CLINICAL_LABELS,
    DERIVED_LABELS,
    EXPERT_LABELS,
    PROPOSED_LABELS,
)
from oarflow.organs import load_catalogue
from oarflow.rtstruct.errors import ReadError
from oarflow.training.data.cases import TrainingCase, training_case
from oarflow.training.data.image_file import with_images_on_disk
from oarflow.training.data.proposals import with_proposals
from oarflow.training.data.registered_mr import case_with_mr

LOGGER = logging.getLogger(__name__)

T = TypeVar("T")

UNREADABLE = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, InvalidDicomError, Refusal, ReadError),
)
"""What the readers of the layouts raise for files that are damaged, missing or refused."""

ABSENT = "the split names it, and the folder does not hold it"

NAMED = 5
"""So many patients are named where there may be hundreds."""

OPENKBP_NAME = "OpenKBP (open-kbp, MIT licence), training patients"
EXPERTS_NAME = "contours of two experts (Nikolov et al., CC BY 4.0) on training patients of OpenKBP"


@dataclass(frozen=True)
class _Unread:
    """In place of a patient that could not be read."""

    reason: str


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The patients of a folder, read on access.

    name: the data's name on model cards; None if none was given. derived: a folder of derived
    labels (datasets.derived) that are read with the drawn ones. proposed: the same of labels that
    networks proposed for patients without a drawn one (training.data.proposals). unreadable: the
    patients that could not be read so far, with the reason.
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
        openkbp = isinstance(patients, OpenKbp | OpenKbpCsv)
        known = OPENKBP_NAME if openkbp else None
        if isinstance(patients, Experts):
            known = EXPERTS_NAME
        if split is not None:
            parted = Split.read(split).of_openkbp() if openkbp else Split.read(split)
            _check_exclusions(parted, split)
        elif openkbp:
            parted = Split.read(OPENKBP_SPLIT).of_openkbp()
        elif isinstance(patients, Experts):
            parted = patients.split()
        else:
            parted = Split.by_patient(patients)
        return cls(patients, parted, name or known, derived)

    def everyone(self) -> TrainingData:
        """The same patients, all of whom fit."""
        return replace(self, split=self.split.everyone())

    def fold(self, number: int, count: int) -> TrainingData:
        """The same patients, one of `count` parts of all of them held out; number from 1."""
        return replace(self, split=self.split.fold(number, count))

    def without(self, folder: Path) -> TrainingData:
        """The same without the patients of another data set, and without second scans of them.

        Raises FileNotFoundError, ValueError where it is no data set or no fitting patient is left.
        """
        other = open_data_set(folder)
        ids = other.patients if isinstance(other, Experts) else tuple(other)
        split = self.split.without(ids)
        if not split.fit:
            raise ValueError(f"without the patients of {folder} no fitting patient is left")
        left = len(self.split.patients) - len(split.patients)
        name = f"{self.name or 'data'}, without {left} patients" if left else self.name
        return replace(self, split=split, name=name)

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
        return with_images_on_disk(self.read(ids, mr=mr, organ=organ), scratch)

    def unsplit(self) -> Iterator[TrainingCase]:
        """All patients of the folder with all their labels, one after another."""
        everyone = self._each(list(self.patients), lambda one: training_case(self._labelled(one)))
        return (case for _, case in everyone)

    def labelled(self, organ: str) -> list[str]:
        """The patients of both parts that have a label of an organ, fitting ones first."""
        everyone = self.split.patients
        found = self._each(everyone, lambda one: organ in self._labelled(one).masks)
        return [one for one, there in found if there and organ not in self._excluded(one)]

    def spacings(self) -> Iterator[tuple[str, tuple[float, float, float]]]:
        """Each patient of both parts, with its voxels' (z, y, x) mm."""
        return self._each(self.split.patients, lambda one: self._labelled(one).spacing_zyx)

    def count(self, organs: Collection[str]) -> int:
        """How many fitting patients have a label of one of the organs."""
        found = {one for organ in organs for one in self.labelled(organ)}
        return len(found & set(self.split.fit))

    def label_source(self, organs: Collection[str]) -> str:
        """Where labels of the organs come from, in a model card's words."""
        if isinstance(self.patients, Experts):
            return EXPERT_LABELS
        if self.derived is not None and set(organs) <= set(DERIVED_ORGANS):
            return DERIVED_LABELS
        return CLINICAL_LABELS if self.proposed is None else PROPOSED_LABELS

    def _read(self, patient: str, mr: bool, organ: str | None) -> TrainingCase:
        case = self._labelled(patient)
        excluded = self._excluded(patient)
        if organ is not None:
            excluded |= set(case.masks) - {organ}
        read = (case_with_mr if mr else training_case)(case, excluded)
        if self.proposed is not None and patient in self.split.fit:
            read = with_proposals(read, self.proposed, None if organ is None else (organ,))
        return read

    def _each(self, ids: Sequence[str], function: Callable[[str], T]) -> Iterator[tuple[str, T]]:
        """Each patient with what `function` makes of it; those that cannot be read are left out.

        Those whom the folder does not hold are named once, and left out too. Raises ValueError
        where there is somebody to read, and none of them can be.
        """
        there = self._there(ids)
        read = lost = 0
        reason = ""
        for one, made in each(there, lambda patient: self._attempt(patient, function)):
            if isinstance(made, _Unread):
                lost, reason = lost + 1, f"{one}: {made.reason}"
                if one not in self.unreadable:
                    LOGGER.warning("%s is left out: %s", one, made.reason)
                    self.unreadable[one] = made.reason
            else:
                read += 1
                yield one, made
        if lost and not read:
            raise ValueError(f"none of {lost} patients could be read; the last one, {reason}")
        if lost:
            LOGGER.warning(
                "%d of %d patients in the folder could not be read, and are left out",
                lost,
                len(there),
            )

    def _there(self, ids: Sequence[str]) -> list[str]:
        """Those whom the folder holds; the others are named.

        Raises ValueError where it holds none of them.
        """
        there = [one for one in ids if one in self.patients]
        if ids and not there:
            raise ValueError(
                f"the folder holds none of the {len(ids)} patients that the split names "
                f"({_listed(tuple(ids))}); it holds {_listed(tuple(self.patients))}: give --split "
                "the table that belongs to it"
            )
        absent = [one for one in ids if one not in self.patients and one not in self.unreadable]
        self.unreadable.update(dict.fromkeys(absent, ABSENT))
        if len(absent) == 1:
            LOGGER.warning("%s is left out: %s", absent[0], ABSENT)
        if absent:
            LOGGER.warning(
                "%d of the %d patients that the split names are not in the folder, and are left "
                "out: %s",
                len(absent),
                len(ids),
                ", ".join(absent),
            )
        return there

    def _attempt(self, patient: str, function: Callable[[str], T]) -> T | _Unread:
        try:
            return function(patient)
        except UNREADABLE as error:
            words = " ".join(str(error).split()) or "no reason given"
            return _Unread(f"it cannot be read ({type(error).__name__}: {words})")

    def _labelled(self, patient: str) -> Case:
        """Raises ValueError where all names of its contours are unknown."""
        case = self.patients[patient]
        case = case if self.derived is None else with_derived(case, self.derived)
        if case.unmapped and not case.masks:
            raise ValueError(unknown_names(case.unmapped))
        return case

    def _excluded(self, patient: str) -> set[str]:
        return {organ for organ, one in self.split.excluded if one == patient}


def _check_exclusions(split: Split, path: Path) -> None:
    """Raises ValueError for a name that is no organ's, and names patients who take no part."""
    catalogue = load_catalogue()
    for organ, patient in sorted(split.excluded):
        if organ not in catalogue:
            meant = catalogue.resolve(organ)
            hint = f"; it is called {meant.name}" if meant else ""
            raise ValueError(f"{path} leaves out {organ!r}, which is no organ's name{hint}")
        if patient not in split.patients:
            LOGGER.warning(
                "exclusion of %s of %s: the patient neither fits nor tunes",
                organ,
                patient,
            )


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more
