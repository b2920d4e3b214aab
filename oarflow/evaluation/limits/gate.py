"""How far good CTs stay from the input gate's limits: OpenKBP's training patients as DICOM.

`OARFLOW_DATA=... oarflow evaluate gate-limits` writes docs/results/gate.md. Validation patients
have no part in it.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from oarflow.datasets.as_dicom import write_ct
from oarflow.datasets.cases import Case
from oarflow.errors import Refusal
from oarflow.intake import read_volume
from oarflow.intake.continuity import measure
from oarflow.intake.limits import (
    MAX_EXCHANGED,
    MAX_FLIPPED,
    MAX_JUMP_RATIO,
    MAX_UNLIKE,
    SOFT_PEAK_HU,
)
from oarflow.intake.plausible import soft_peak
from oarflow.networks.store import ModelStore
from oarflow.plausibility.anatomy import LANDMARKS, require_head_and_neck
from oarflow.segmentation.search import find_organs
from oarflow.tables import markdown_table
from oarflow.volume import Volume

STRIDES = (1, 2, 4)
"""Every slice, every second, every fourth: as if the scan had been taken with thicker ones."""

LIMITS = {
    "unlike": MAX_UNLIKE,
    "flipped": MAX_FLIPPED,
    "jumps": MAX_JUMP_RATIO,
    "exchanged": MAX_EXCHANGED,
}
"""By sign: of thin slices, and of thick ones."""

REMARKS = ("neighbours", "each other's place")
"""In the gate's remarks on slices that may not follow one another."""


SIGNS = """\
The checks in `oarflow/intake/continuity.py` compare slices with their neighbours. The table shows
the worst value of each patient: for all slices, and for every second or fourth slice, as in a scan
with thicker slices. The first limit holds up to 4 mm between slices, the second beyond.

| sign | ratio of |
| --- | --- |
| unlike | difference of a slice from its neighbours, and difference between these neighbours |
| flipped | difference of two neighbours, and their difference after one of them is mirrored |
| jumps | difference of two neighbours, and the median of the differences of the pairs around them |
| exchanged | differences at the borders of two groups of slices, before and after their exchange |
"""
"""What the table of signs shows."""


@dataclass
class GateMeasurements:
    """What was found so far. worst: by sign and stride, of each patient. peaks: HU."""

    worst: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    peaks: list[float] = field(default_factory=list)
    sure: Counter[int] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    remarked: int = 0
    patients: int = 0

    def take(self, name: str, folder: Path, store: ModelStore | None) -> None:
        """Add one patient, written in a folder."""
        self.patients += 1
        try:
            intake = read_volume(folder)
        except Refusal as refusal:
            self.refused.append(f"{name}: {refusal.code}")
            return
        volume = intake.volume
        self.remarked += any(word in note for note in intake.notes for word in REMARKS)
        for stride in STRIDES:
            for sign, value in _worst(volume, stride):
                self.worst.setdefault((sign, stride), []).append(value)
        peak = soft_peak(volume.hu)
        if peak is not None:
            self.peaks.append(peak)
        if store is not None:
            self._landmarks(name, volume, store)

    def _landmarks(self, name: str, volume: Volume, store: ModelStore) -> None:
        seen = find_organs(volume, store)
        found = [seen[organ] for organ in LANDMARKS]
        self.sure[sum(one.present and one.score >= store.sure_score for one in found)] += 1
        try:
            require_head_and_neck(
                seen, volume, lambda turned: find_organs(turned, store), store.sure_score
            )
        except Refusal as refusal:
            self.refused.append(f"{name}: {refusal.code}")


def _worst(volume: Volume, stride: int) -> Iterator[tuple[str, float]]:
    hu = volume.hu[::stride]
    filled = np.flatnonzero([plane.max() > plane.min() for plane in hu])
    steps = np.diff(volume.grid.offsets_mm[::stride][filled])
    found = measure(hu, filled, steps)
    yield "exchanged", found.exchange.ratio
    for sign, values in (
        ("unlike", found.unlike),
        ("flipped", found.flipped),
        ("jumps", found.jumps),
    ):
        yield sign, float(values.max()) if len(values) else 0.0


def page(found: GateMeasurements) -> str:
    """The page's text."""
    lines = [
        "# The input gate on good CTs",
        "",
        f"{found.patients} training patients of OpenKBP were written as DICOM and read through the",
        "input gate. Made by `OARFLOW_DATA=... oarflow evaluate gate-limits`.",
        "",
        SIGNS,
        markdown_table(
            ("sign", "slices", "patients", "median", "the three worst", "limits"), _rows(found)
        ),
        "",
        f"Peak of soft tissue in the histogram: {min(found.peaks):.0f} to {max(found.peaks):.0f} "
        f"HU, median {np.median(found.peaks):.0f} HU (n {len(found.peaks)}). Accepted: "
        f"{SOFT_PEAK_HU[0]:g} to {SOFT_PEAK_HU[1]:g} HU.",
        "",
        f"Patients with a remark that neighbouring slices may not fit together: {found.remarked}.",
    ]
    if found.sure:
        head = f"landmarks found with certainty, of {len(LANDMARKS)}", "patients"
        lines += ["", markdown_table(head, sorted(found.sure.items()))]
    refused = "; ".join(found.refused) or "none"
    lines += ["", f"Refused: {refused}.", ""]
    return "\n".join(lines)


def _rows(found: GateMeasurements) -> Iterator[tuple[object, ...]]:
    for (sign, stride), values in sorted(found.worst.items()):
        worst = ", ".join(f"{v:.2f}" for v in sorted(values)[: -len(STRIDES) - 1 : -1])
        low, high = LIMITS[sign]
        every = {1: "all", 2: "every second", 4: "every fourth"}[stride]
        middle = f"{np.median(values):.2f}"
        yield sign, every, len(values), middle, worst, f"{low:g}, {high:g}"


def measured(cases: Mapping[str, Case], models: Path | None) -> GateMeasurements:
    """All cases through the gate. models: None to leave the networks' landmarks out."""
    store = None if models is None else ModelStore.open(models)
    found = GateMeasurements()
    for name in cases:
        with tempfile.TemporaryDirectory() as folder:
            write_ct(cases[name], Path(folder))
            found.take(name, Path(folder), store)
    return found
