"""Who fits and who tunes: a data set parted by patient, never by slice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from oarflow.datasets.openkbp_facts import twins
from oarflow.yaml_files import YamlError, read_yaml

OPENKBP_SPLIT = Path(__file__).parent / "openkbp_split.yaml"
OPENKBP_WRONG = Path(__file__).parent / "openkbp_wrong_references.yaml"
TUNE_SHARE = 0.15
SEED = 41


@dataclass(frozen=True)
class Split:
    """Ids of the patients that fit and tune, and the labels that are left out: (organ, id).

    same: groups of ids that are one patient; they never stand on both sides.
    Raises ValueError where they do.
    """

    fit: tuple[str, ...]
    tune: tuple[str, ...]
    excluded: frozenset[tuple[str, str]] = frozenset()
    same: tuple[frozenset[str], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for group in self.same:
            if group & set(self.fit) and group & set(self.tune):
                raise ValueError(f"one patient both fits and tunes: {', '.join(sorted(group))}")

    @classmethod
    def read(cls, path: Path) -> Split:
        """A YAML table: ids as written, and exclusions with their reasons.

        Raises ValueError for another file, and for a patient that appears twice.
        """
        try:
            table = read_yaml(path, as_written=True)
            split = cls(
                _ids(table["fit"]),
                _ids(table["tune"]),
                frozenset(
                    (str(row["organ"]), patient)
                    for row in table.get("exclusions") or ()
                    for patient in _ids(row["patients"])
                ),
            )
        except YamlError as error:
            raise ValueError(f"{path} is no split: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no split: {error!r}") from error
        if both := set(split.fit) & set(split.tune):
            raise ValueError(f"{path}: both fit and tune: {', '.join(sorted(both))}")
        for part in (split.fit, split.tune):
            if twice := [one for one, count in Counter(part).items() if count > 1]:
                raise ValueError(f"{path}: named twice: {', '.join(twice)}")
        return split

    def of_openkbp(self) -> Split:
        """The same table where ids may be OpenKBP's numbers: n is pt_n; twins are one patient.

        Raises ValueError where one of them fits and the other tunes.
        """
        return Split(
            tuple(map(openkbp_id, self.fit)),
            tuple(map(openkbp_id, self.tune)),
            frozenset((organ, openkbp_id(patient)) for organ, patient in self.excluded),
            twins(),
        )

    def without(self, patients: Iterable[str]) -> Split:
        """The same without these patients, and without the twins of these."""
        out = set(patients)
        out |= {one for group in self.same if group & out for one in group}
        fit, tune = (tuple(one for one in part if one not in out) for part in (self.fit, self.tune))
        return replace(self, fit=fit, tune=tune)

    @property
    def patients(self) -> tuple[str, ...]:
        """Who fits, then who tunes."""
        return (*self.fit, *self.tune)

    @classmethod
    def by_patient(cls, ids: Iterable[str], seed: int = SEED) -> Split:
        """15 % of the patients tune, at least one of two; the seed shuffles them."""
        ordered = sorted(ids)
        shuffled = [ordered[k] for k in np.random.default_rng(seed).permutation(len(ordered))]
        tuning = min(len(shuffled) - 1, max(1, round(len(shuffled) * TUNE_SHARE)))
        return cls(tuple(sorted(shuffled[tuning:])), tuple(sorted(shuffled[:tuning])))

    def everyone(self) -> Split:
        """The same patients, all of whom fit."""
        return replace(self, fit=tuple(sorted(self.patients)), tune=())

    def fold(self, number: int, count: int) -> Split:
        """One part of `count` equal ones of all patients tunes, the others fit; number from 1.

        Raises ValueError for a part that there is not.
        """
        if not 1 <= number <= count:
            raise ValueError(f"there is no fold {number} of {count}")
        persons = sorted({self._person(one) for one in self.patients})
        shuffled = [persons[k] for k in np.random.default_rng(SEED).permutation(len(persons))]
        drawn = set(shuffled[number - 1 :: count])
        apart = tuple(one for one in sorted(self.patients) if self._person(one) in drawn)
        return replace(self, fit=tuple(sorted(set(self.patients) - set(apart))), tune=apart)

    def _person(self, patient: str) -> str:
        """The first id in this split of the patient with this id."""
        group = next((group for group in self.same if patient in group), {patient})
        return min(group & set(self.patients))


def wrong_references(path: Path = OPENKBP_WRONG) -> dict[tuple[str, str], str]:
    """By organ and id, why a reference is wrong. Raises ValueError where the table is none."""
    try:
        rows = read_yaml(path, as_written=True)["wrong"]
        return {
            (str(row["organ"]), openkbp_id(patient)): str(row["reason"])
            for row in rows
            for patient in _ids(row["patients"])
        }
    except YamlError as error:
        raise ValueError(f"{path} is no table of wrong references: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no table of wrong references: {error!r}") from error


def openkbp_id(written: str) -> str:
    """OpenKBP's id of a patient that may be given by its number."""
    return f"pt_{written}" if written.isdecimal() else written


def _ids(patients: object) -> tuple[str, ...]:
    """A list of ids. Raises TypeError for anything else."""
    if not isinstance(patients, list) or not all(isinstance(one, str) for one in patients):
        raise TypeError(f"{patients!r} is no list of patients")
    if not all(one.strip() for one in patients):
        raise TypeError("a patient's id is empty")
    return tuple(patients)
