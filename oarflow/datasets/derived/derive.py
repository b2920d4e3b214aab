"""From a case to its derived labels, with the facts of each and the reasons against some."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oarflow.compare.overlap import overlap
from oarflow.datasets.cases import Case
from oarflow.datasets.derived.airways import airways
from oarflow.datasets.derived.brain import brain
from oarflow.datasets.derived.canal import canal
from oarflow.datasets.derived.corrections import Corrections
from oarflow.datasets.derived.store import ORGANS, DerivedLabels, write_labels
from oarflow.datasets.derived.voxels import cut_slices, filled, whole_slices
from oarflow.masks import bounding_box, volume_cc
from oarflow.tables import write_csv
from oarflow.types import Mask, Spacing

LOGGER = logging.getLogger(__name__)

FACTS_NAME = "facts.csv"

INSIDE_MM = {"Brain": 4.0, "Lung_L": 6.0, "Lung_R": 6.0, "Trachea": 4.0, "SpinalCanal": 12.0}
"""An uncut patient has at least this much between the organ and the skin, in an axial slice."""

LEAST_CC = {"Brain": 40.0, "Lung_L": 30.0, "Lung_R": 30.0, "Trachea": 3.0, "SpinalCanal": 8.0}
"""Less of an organ is not worth a label: the scan ends where it begins."""

HELD = {"Brain": {"Brainstem": 0.85, "SpinalCord": 0.5}, "SpinalCanal": {"SpinalCord": 0.9}}
"""Each derived organ holds these shares of drawn ones, within the derived one's slices.

A brain's lowest slices hold the cord's upper end; where it holds none, the tongue was taken for it.
"""

DRAWN = ("SpinalCord", "Larynx", "Brainstem")
"""Contours that the rules and their checks start from."""

MOST_CUT_SLICES = 2

LUNGS = ("Lung_L", "Lung_R")

MOST_UNPUBLISHED = 0.2
"""Share of a lung, whose darkest voxels may have no published value."""

AIR_HU = -300.0
"""Below this lies no body, in a case that does not say where its CT was published."""

BRAIN_STARTS_BELOW_CORD_MM = 40.0
"""The skull's base lies no farther below the drawn cord's upper end."""


@dataclass(frozen=True)
class Fact:
    """One derived label: where it lies, its volume, and why it is left out, if it is.

    held: the least share of a drawn organ that it should hold. drawn_dice: Dice with the case's own
    contour of the organ, None where it has none.
    """

    case: str
    organ: str
    first: int
    last: int
    volume_cc: float
    held: float
    corrected: int
    left_out: str
    drawn_dice: float | None = None


def derive(case: Case, table: Corrections) -> tuple[DerivedLabels, list[Fact]]:
    """All labels that the rules give for a case, corrected by the table, and their facts.

    A case without a spinal cord gives nothing: it says where the head begins and where the midline
    is. One without a larynx gives no trachea. Labels that fail a check, and those that the table
    leaves out, are not among the labels; their facts say why.
    """
    published = case.body if case.body is not None else case.ct > AIR_HU
    if not published.any() or "SpinalCord" not in case.masks:
        return DerivedLabels({}, (0, -1)), []
    box = bounding_box(published)
    body = filled(published[box])
    first, last = whole_slices(body, case.spacing_zyx)
    body[:first] = False
    body[last + 1 :] = False
    drawn = {organ: case.masks[organ][box] & body for organ in DRAWN if organ in case.masks}
    if not drawn["SpinalCord"].any():
        return DerivedLabels({}, (0, -1)), []
    masks: dict[str, Mask] = {}
    facts = []
    ct = np.asarray(case.ct[box], dtype=np.int16)
    for organ, mask in _found(ct, body, drawn, case.spacing_zyx).items():
        whole = np.zeros(case.ct.shape, dtype=np.bool_)
        whole[box] = mask
        changes = list(table.of(organ, case.id))
        for change in changes:
            whole = change.apply(whole)
        held = _held(organ, whole[box], drawn)
        reason = (
            table.excluded(organ, case.id)
            or _against(organ, whole[box], body, case.spacing_zyx)
            or _too_little(organ, held)
            or (_unpublished(organ, whole[box], published[box]) if case.body is not None else "")
        )
        least = min(held.values(), default=1.0)
        facts.append(_fact(case, organ, whole, held=least, corrected=len(changes), left_out=reason))
        if not reason:
            masks[organ] = whole
    bottom = box[0].start
    return DerivedLabels(masks, (first + bottom, last + bottom)), facts


def _found(
    ct: NDArray[np.int16], body: Mask, drawn: Mapping[str, Mask], spacing: Spacing
) -> dict[str, Mask]:
    """The rules' masks, by organ."""
    cord = drawn["SpinalCord"]
    upper = int(np.flatnonzero(cord.any(axis=(1, 2)))[-1])
    below = upper - round(BRAIN_STARTS_BELOW_CORD_MM / spacing[0])
    air = airways(ct, body, spacing, cord=cord, larynx=drawn.get("Larynx"))
    found = {
        "Brain": brain(ct, body, spacing, below),
        "Lung_L": air.lung_l,
        "Lung_R": air.lung_r,
        "SpinalCanal": canal(ct, cord, spacing),
    }
    if air.trachea is not None:
        found["Trachea"] = air.trachea
    return found


def _against(organ: str, mask: Mask, body: Mask, spacing: Spacing) -> str:
    """Why a label cannot be used; empty where nothing speaks against it."""
    cc = volume_cc(mask, spacing)
    if cc < LEAST_CC[organ]:
        return "not in the scan" if cc == 0 else f"only {cc:.0f} cc"
    if len(cut_slices(mask, body, INSIDE_MM[organ], spacing)) > MOST_CUT_SLICES:
        return "runs into a cut of the CT"
    return ""


def _too_little(organ: str, held: Mapping[str, float]) -> str:
    """Which drawn organ it should hold and does not; empty where there is none."""
    for name, share in held.items():
        if share < HELD[organ][name]:
            return f"holds {share:.0%} of the drawn {name}"
    return ""


def _unpublished(organ: str, lung: Mask, published: Mask) -> str:
    """A lung that is largely a hole in the published CT is none: the CT is in pieces there."""
    if organ not in LUNGS or not lung.any():
        return ""
    share = float((lung & ~published).sum() / lung.sum())
    return f"{share:.0%} of it was not published" if share > MOST_UNPUBLISHED else ""


def _held(organ: str, mask: Mask, drawn: Mapping[str, Mask]) -> dict[str, float]:
    """Shares of the drawn organs' voxels, in the derived one's slices, that it holds."""
    levels = mask.any(axis=(1, 2))
    theirs = {name: drawn[name][levels] for name in HELD.get(organ, {}) if name in drawn}
    return {
        name: float((part & mask[levels]).sum() / part.sum())
        for name, part in theirs.items()
        if part.any()
    }


def _fact(
    case: Case, organ: str, mask: Mask, *, held: float, corrected: int, left_out: str
) -> Fact:
    levels = np.flatnonzero(mask.any(axis=(1, 2)))
    first, last = (int(levels[0]), int(levels[-1])) if levels.size else (-1, -1)
    cc = round(volume_cc(mask, case.spacing_zyx), 1)
    agreement = None
    if organ in case.masks:
        agreement = round(overlap(case.labelled(mask), case.masks[organ]).dice, 3)
    return Fact(case.id, organ, first, last, cc, round(held, 3), corrected, left_out, agreement)


def derive_all(cases: Iterable[Case], output: Path, table: Corrections) -> list[Fact]:
    """Write `<case>.npz` for each case and facts.csv into output; returns the facts."""
    output.mkdir(parents=True, exist_ok=True)
    facts: list[Fact] = []
    for case in cases:
        labels, some = derive(case, table)
        write_labels(output / f"{case.id}.npz", labels)
        facts.extend(some)
        LOGGER.info("%s: %s", case.id, ", ".join(labels.masks) or "nothing")
    write_csv(output / FACTS_NAME, [field.name for field in fields(Fact)], map(astuple, facts))
    return facts


def summary(facts: list[Fact]) -> str:
    """Labels kept and left out, by organ."""
    lines = []
    for organ in ORGANS:
        own = [fact for fact in facts if fact.organ == organ]
        if own:
            kept = sum(not fact.left_out for fact in own)
            lines.append(f"{organ:12} {kept} of {len(own)} kept")
    return "\n".join(lines)
