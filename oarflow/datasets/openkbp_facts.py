"""Facts about OpenKBP's patients: their Hounsfield scale, and scans that come twice."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

from oarflow.yaml_files import read_yaml

HU_TABLE = Path(__file__).parent / "openkbp_hu.yaml"
TWINS_TABLE = Path(__file__).parent / "openkbp_twins.yaml"


def added_hu(patient: str) -> int:
    """What was added to HU in a patient's published CT values."""
    usual, others = _added()
    return others.get(patient, usual)


@cache
def _added() -> tuple[int, dict[str, int]]:
    table = read_yaml(HU_TABLE)
    others = {one: row["added"] for row in table["others"] for one in row["patients"]}
    return table["added"], others


@cache
def twins() -> tuple[frozenset[str], ...]:
    """Groups of patients that are one scan. Raises ValueError where a patient is in two groups."""
    groups = tuple(map(frozenset, read_yaml(TWINS_TABLE)["twins"]))
    count = Counter(one for group in groups for one in group)
    if twice := [one for one, times in count.items() if times > 1]:
        raise ValueError(f"{TWINS_TABLE.name}: in two groups: {', '.join(sorted(twice))}")
    return groups
