"""Pseudonyms hide what a name says, and keep what the intake reads from it."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from oarflow.intake.names import Pseudonyms, patterns

NAMES = (
    "IM0001.dcm",
    "IM0002.DCM",
    "im17.dcm",
    "CT.1.2.840.99.1",
    "CT.1.2.840.99.22",
    "1.2.3.4",
    "a3f09c",
    "00ff12",
    "README",
    "LOCKFILE",
    "IM000001",
    "notes.txt",
    "slice7.Doe",
    "slice8.Roe",
    "Doe^John.dcm",
    "scan.j2k",
    "scan.j3k",
)


@pytest.mark.parametrize(("one", "other"), list(combinations(NAMES, 2)))
def test_alike_where_the_originals_are(one: str, other: str) -> None:
    given = Pseudonyms()
    new_one, new_other = given.of((one,)), given.of((other,))
    assert new_one != new_other
    alike = bool(patterns(one) & patterns(other))
    if (one, other) != ("scan.j2k", "scan.j3k"):  # nothing but the suffix tells them apart
        assert bool(patterns(new_one.name) & patterns(new_other.name)) == alike


def test_nothing_of_the_name_is_left() -> None:
    given = Pseudonyms()
    for folder, name in product(("DOE^JOHN", "1950-12-31"), NAMES):
        new = str(given.of((folder, name)))
        for word in ("doe", "john", "1950", "roe", "840"):
            assert word not in new.lower()
        assert len(given.of((folder, "x" * 4000 + "1.dcm")).name) < 255


def test_folders_stay_together_and_hidden_stays_hidden() -> None:
    given = Pseudonyms()
    a1, b1, a2 = (given.of(parts) for parts in (("a", "1"), ("b", "1"), ("a", "2")))
    assert a1.parent == a2.parent != b1.parent
    for parts in ((".git", "1.dcm"), ("a", ".1.dcm"), (".x", "y", "1")):
        assert any(part.startswith(".") for part in given.of(parts).parts)
    assert given.of(("a", "dicomdir")).name == "DICOMDIR"
