"""Who fits and who tunes: a data set parted by patient, never by slice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

OPENKBP_SPLIT = Path(__file__).parent / "openkbp_split.yaml"
OPENKBP_WRONG = Path(__file__).parent / "openkbp_wrong_references.yaml"
TUNE_SHARE = 0.15
SEED = 41


@dataclass(frozen=True)
class Split:
    """Ids of the patients that fit and tune, and the labels that are left out: (organ, id)."""

    fit: tuple[str, ...]
    tune: tuple[str, ...]
    excluded: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Split:
        """A table of ids (a number n is OpenKBP's pt_n), the reasons of exclusions beside them.

        Raises ValueError where it is none, or a patient both fits and tunes.
        """
        try:
            table = yaml.safe_load(path.read_text(encoding="utf-8"))
            split = cls(
                _ids(table["fit"]),
                _ids(table["tune"]),
                frozenset(
                    (row["organ"], patient)
                    for row in table.get("exclusions") or ()
                    for patient in _ids(row["patients"])
                ),
            )
        except (KeyError, TypeError, yaml.YAMLError) as error:
            raise ValueError(f"{path} is no split: {error!r}") from error
        if both := set(split.fit) & set(split.tune):
            raise ValueError(f"{path}: both fit and tune: {', '.join(sorted(both))}")
        return split

    @classmethod
    def by_patient(cls, ids: Iterable[str], seed: int = SEED) -> Split:
        """15 % of the patients tune, at least one of two; the seed shuffles them."""
        ordered = sorted(ids)
        shuffled = [ordered[k] for k in np.random.default_rng(seed).permutation(len(ordered))]
        tuning = min(len(shuffled) - 1, max(1, round(len(shuffled) * TUNE_SHARE)))
        return cls(tuple(sorted(shuffled[tuning:])), tuple(sorted(shuffled[:tuning])))

    def everyone(self) -> Split:
        """The same patients, all of whom fit."""
        return replace(self, fit=tuple(sorted((*self.fit, *self.tune))), tune=())

    def fold(self, number: int, count: int) -> Split:
        """One part of `count` equal ones of all patients tunes, the others fit; number from 1.

        Raises ValueError for a part that there is not.
        """
        if not 1 <= number <= count:
            raise ValueError(f"there is no fold {number} of {count}")
        ordered = sorted((*self.fit, *self.tune))
        shuffled = [ordered[k] for k in np.random.default_rng(SEED).permutation(len(ordered))]
        apart = tuple(sorted(shuffled[number - 1 :: count]))
        return replace(self, fit=tuple(sorted(set(ordered) - set(apart))), tune=apart)


def wrong_references(path: Path = OPENKBP_WRONG) -> dict[tuple[str, str], str]:
    """By organ and id, why a reference is wrong. Raises ValueError where the table is none."""
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))["wrong"]
        return {
            (row["organ"], patient): str(row["reason"])
            for row in rows
            for patient in _ids(row["patients"])
        }
    except (KeyError, TypeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is no table of wrong references: {error!r}") from error


def _ids(patients: Iterable[int | str]) -> tuple[str, ...]:
    return tuple(f"pt_{one}" if isinstance(one, int) else str(one) for one in patients)
