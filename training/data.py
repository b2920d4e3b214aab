"""A data set as training reads it: parted by patient, with derived labels and MRs where asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.cases import Case
from datasets.derived.store import with_derived
from datasets.opening import open_data_set
from datasets.openkbp import OpenKbp
from datasets.split import OPENKBP_SPLIT, Split
from training.cases import TrainingCase, in_memory
from training.paired import paired

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

    def fitting(self, *, mr: bool = False, most: int | None = None) -> list[TrainingCase]:
        """The fitting patients in memory, with registered MRs if wanted; the first `most`."""
        return self.read(self.split.fit[:most], mr=mr)

    def tuning(self, *, mr: bool = False, most: int | None = None) -> list[TrainingCase]:
        """The tuning patients, likewise."""
        return self.read(self.split.tune[:most], mr=mr)

    def read(
        self, ids: Sequence[str], *, mr: bool = False, organ: str | None = None
    ) -> list[TrainingCase]:
        """Patients in memory, without the labels that the split leaves out.

        organ: this one's label alone.
        """
        return [self._read(one, mr, organ) for one in ids]

    def unsplit(self) -> Iterator[TrainingCase]:
        """All patients of the folder with all their labels, one after another."""
        for patient in self.patients:
            yield in_memory(self._labelled(patient))

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
        return (paired if mr else in_memory)(case, excluded)

    def _labelled(self, patient: str) -> Case:
        case = self.patients[patient]
        return case if self.derived is None else with_derived(case, self.derived)

    def _excluded(self, patient: str) -> set[str]:
        return {organ for organ, one in self.split.excluded if one == patient}
