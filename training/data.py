"""A data set as training reads it: parted by patient, with derived labels and MRs where asked.

None lies in memory whole: patients pass one after another, or their images wait on the disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.cases import Case
from datasets.derived.store import with_derived
from datasets.opening import open_data_set
from datasets.openkbp import OpenKbp
from datasets.reading import each
from datasets.split import OPENKBP_SPLIT, Split
from training.cases import TrainingCase, training_case
from training.paired import paired
from training.shelf import shelved

OPENKBP_NAME = "OpenKBP (open-kbp, MIT licence), training patients"


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The patients of a folder; read from it when asked for.

    name: what a model card says of the data; None where nobody said. derived: a folder of derived
    labels (datasets.derived) that are read with the drawn ones.
    """

    patients: Mapping[str, Case]
    split: Split
    name: str | None = None
    derived: Path | None = None

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

    def fold(self, number: int, count: int) -> TrainingData:
        """The same patients, one of `count` parts of all of them held out; number from 1."""
        return replace(self, split=self.split.fold(number, count))

    def read(
        self, ids: Sequence[str], *, mr: bool = False, organ: str | None = None
    ) -> Iterator[TrainingCase]:
        """Patients one after another, without the labels that the split leaves out.

        The next ones are read meanwhile. mr: with the registered MR. organ: this one's label alone.
        """
        return (case for _, case in each(ids, lambda one: self._read(one, mr, organ)))

    def keep(
        self, ids: Sequence[str], scratch: Path, *, mr: bool = False, organ: str | None = None
    ) -> list[TrainingCase]:
        """The same, all at hand to draw samples from, their images in a file in `scratch`."""
        return shelved(self.read(ids, mr=mr, organ=organ), scratch)

    def unsplit(self) -> Iterator[TrainingCase]:
        """All patients of the folder with all their labels, one after another."""
        return (
            case
            for _, case in each(list(self.patients), lambda p: training_case(self._labelled(p)))
        )

    def labelled(self, organ: str) -> list[str]:
        """The patients of both parts that have a label of an organ, fitting ones first."""
        return [
            one
            for one in (*self.split.fit, *self.split.tune)
            if organ in self._labelled(one).masks and organ not in self._excluded(one)
        ]

    def count(self, organs: Collection[str]) -> int:
        """How many fitting patients have a label of one of the organs."""
        found = {one for organ in organs for one in self.labelled(organ)}
        return len(found & set(self.split.fit))

    def _read(self, patient: str, mr: bool, organ: str | None) -> TrainingCase:
        case = self._labelled(patient)
        excluded = self._excluded(patient)
        if organ is not None:
            excluded |= set(case.masks) - {organ}
        return (paired if mr else training_case)(case, excluded)

    def _labelled(self, patient: str) -> Case:
        case = self.patients[patient]
        return case if self.derived is None else with_derived(case, self.derived)

    def _excluded(self, patient: str) -> set[str]:
        return {organ for organ, one in self.split.excluded if one == patient}
