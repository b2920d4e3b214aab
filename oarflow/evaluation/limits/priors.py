"""Facts of real contours, measured: OpenKBP's training patients, and organs it lacks elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from oarflow.datasets.openkbp import ORGANS, OpenKbp
from oarflow.datasets.tcia_oars import read_drawing, scans
from oarflow.evaluation.limits.references import (
    drawing_scene,
    openkbp_references,
    openkbp_split,
)
from oarflow.faces import FACES
from oarflow.organs import Catalogue
from oarflow.plausibility.evidence import Scene, gather
from oarflow.plausibility.signs import OF_CONTOURS, SIGNS, Family, extents, signs
from oarflow.priors import Priors, Spread

ENOUGH = 20
"""A spread of fewer contours is not worth having."""

EXTENT_LEAST_MM = 3.0
OFFSET_LEAST_MM = 2.0
"""Smallest deviations that mean anything, in mm."""

WITHOUT_CT = frozenset(
    {"mean_hu", "sd_hu", "air", "metal", "bright", "noise"}
    | {name for name, sign in SIGNS.items() if sign.family is Family.BEYOND}
)
"""Signs that need the CT itself."""

Table = Mapping[str, Mapping[str, Sequence[float]]]
Offsets = Mapping[tuple[str, str], Sequence[Sequence[float]]]


def measure_priors(openkbp: Path, tcia: Path, catalogue: Catalogue, command: str) -> Priors:
    """Spreads over 170 patients' references, and over 35 scans for organs that these lack."""
    cases = OpenKbp(openkbp)
    patients = (*openkbp_split().fit, *openkbp_split().tune)
    clinical = [
        gather(volume, items, catalogue)
        for volume, items in openkbp_references(cases, patients, openkbp_split().excluded)
    ]
    files = scans(tcia)
    drawn = [drawing_scene(read_drawing(path, catalogue), catalogue) for path in files]
    offsets = _offsets(drawn, catalogue)
    offsets |= _offsets(clinical, catalogue)
    more = {organ: row for organ, row in _signs(drawn).items() if organ not in ORGANS}
    more = {
        organ: {name: spread for name, spread in row.items() if name not in WITHOUT_CT}
        for organ, row in more.items()
    }
    return Priors(
        _in_order(_signs(clinical) | more, catalogue),
        offsets,
        (
            f"{', '.join(ORGANS)}: references of {len(patients)} training patients of OpenKBP "
            "without the labels that the split leaves out",
            f"other organs: {len(files)} planning CTs of tcia-oars, contours of the oncologist",
        ),
        command,
    )


def _signs(scenes: Iterable[Scene]) -> dict[str, dict[str, Spread]]:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for scene in scenes:
        for organ, contour in scene.contours.items():
            for name, value in signs(contour, scene).items():
                if SIGNS[name].family in OF_CONTOURS:
                    values[organ][name].append(value)
            for name, value in extents(contour).items():
                values[organ][name].append(value)
    return {
        organ: {
            name: Spread.of(found, SIGNS[name].least if name in SIGNS else EXTENT_LEAST_MM)
            for name, found in row.items()
            if len(found) >= ENOUGH
        }
        for organ, row in values.items()
    }


def _offsets(
    scenes: Iterable[Scene], catalogue: Catalogue
) -> dict[tuple[str, str], tuple[Spread, Spread, Spread]]:
    values: dict[tuple[str, str], list[list[float]]] = defaultdict(lambda: [[], [], []])
    for scene in scenes:
        present = [organ for organ in catalogue.names if organ in scene.contours]
        for organ, other in combinations(present, 2):
            one, two = scene.contours[organ], scene.contours[other]
            for axis, faces in enumerate(FACES):
                if not (one.cut | two.cut).intersection(faces):
                    away = one.facts.centroid_mm[axis] - two.facts.centroid_mm[axis]
                    values[organ, other][axis].append(away)
    found = {}
    for pair, axes in values.items():
        if min(map(len, axes)) >= ENOUGH:
            z, y, x = (Spread.of(axis, OFFSET_LEAST_MM) for axis in axes)
            found[pair] = (z, y, x)
    return found


def _in_order(
    table: Mapping[str, Mapping[str, Spread]], catalogue: Catalogue
) -> dict[str, Mapping[str, Spread]]:
    return {organ: table[organ] for organ in catalogue.names if organ in table}
