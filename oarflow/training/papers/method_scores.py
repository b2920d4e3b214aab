"""The papers' own comparisons: C2F's views against their fusion, TWOSTEP's one step against two."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from oarflow.compare.overlap import dice, overlap
from oarflow.compare.surfaces import surface_distances
from oarflow.networks.card import View, partner
from oarflow.networks.store import ModelStore
from oarflow.training.cases import TrainingCase
from oarflow.training.fusion import ignored_on, maps_of, organs_of, truth_on
from oarflow.training.regions import box_about
from oarflow.training.tuning import segmenter_of

FUSION = "fusion"
STEPS = ("one step", "two steps")
MANDIBLE = "Bone_Mandible"
GROW_MM = 17.0

Row = tuple[str, str, str, float]
"""Case, organ, method, value."""

DICE = "Dice"


def view_scores(
    cases: Iterable[TrainingCase], store: ModelStore, surfaces: Mapping[tuple[str, View], float]
) -> Iterator[Row]:
    """Dice on the coarse grid of each view's map and of their fusion.

    surfaces: by organ and view, the probability at which the view's map is cut; the fusion's is cut
    at 0.5. Raises ValueError where the models folder holds no fusion network.
    """
    fusion = store.fusion
    if fusion is None:
        raise ValueError(f"{store.folder} holds no fusion network")
    organs = organs_of(store)
    for case in cases:
        grid, maps = maps_of(case, store, organs)
        planes = np.moveaxis(maps.reshape(-1, *maps.shape[2:]), 0, 1)
        seen = ~ignored_on(case, grid)
        fused = np.moveaxis(fusion.probabilities(np.ascontiguousarray(planes)), 1, 0)
        for number, organ in enumerate(organs):
            if organ not in case.masks:
                continue
            truth = truth_on(case, organ, grid)
            for place, view in enumerate(View):
                yield (
                    case.name,
                    organ,
                    str(view),
                    dice(truth & seen, (maps[number, place] >= surfaces[organ, view]) & seen),
                )
            yield case.name, organ, FUSION, dice(truth & seen, (fused[number] >= 0.5) & seen)


def step_scores(
    cases: Iterable[TrainingCase], one: ModelStore, two: ModelStore, organ: str, source: str
) -> Iterator[tuple[str, Row]]:
    """TWOSTEP's measures of the mandible in the box of each side's parotid, grown by 17 mm.

    By name: Dice, Jaccard, precision, recall, and HD95 in mm where a mandible was found.

    one, two: models folders whose organ (of the left; its partner of the right) means the mandible
    there; the second looks about the source's contour. The box is the reference parotid's; one that
    holds no mandible is left out.
    """
    for case in cases:
        z, y, x = (float(mm) for mm in case.spacing_mm)
        for name, store in zip(STEPS, (one, two), strict=True):
            segmenter = segmenter_of(case, store)
            for left in (True, False):
                here, about = (organ, source) if left else (partner(organ), partner(source))
                if MANDIBLE not in case.masks or about not in case.masks:
                    continue
                box = box_about(case, about, GROW_MM)
                truth = case.masks[MANDIBLE][box]
                if not truth.any():
                    continue
                found = np.zeros(case.ct.shape, dtype=bool)
                result = segmenter.segment(here)
                if result.field is not None:
                    found[result.field.box] = result.field.mask
                found = case.labelled(found)
                for measure, value in _measures(found[box], truth, (z, y, x)).items():
                    yield measure, (case.name, here, name, value)


def _measures(
    found: NDArray[np.bool_], truth: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> dict[str, float]:
    shared = overlap(found, truth)
    hd95 = surface_distances(found, truth, spacing_mm).hausdorff(95.0)
    values = {
        DICE: shared.dice,
        "Jaccard": shared.iou,
        "HD95 (mm)": hd95,
        "precision": shared.precision,
        "recall": shared.recall,
    }
    return {measure: value for measure, value in values.items() if np.isfinite(value)}


def together(rows: Sequence[Row], name: str) -> list[Row]:
    """Each patient's mean over its organs, by method, as an organ of this name."""
    means: dict[tuple[str, str], list[float]] = defaultdict(list)
    for case, _, method, value in rows:
        means[case, method].append(value)
    return [
        (case, name, method, float(np.mean(values))) for (case, method), values in means.items()
    ]


def write_rows(measured: Mapping[str, Sequence[Row]], path: Path) -> None:
    """The scores as CSV: one line a case, organ and method, one column a measure."""
    lines: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for measure, rows in measured.items():
        for case, organ, method, value in rows:
            lines[case, organ, method][measure] = value
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("case", "organ", "method", *(name.lower() for name in measured)))
        for key, values in lines.items():
            cells = (f"{values[name]:.4f}" if name in values else "" for name in measured)
            writer.writerow((*key, *cells))


def page(measured: Mapping[str, Sequence[Row]], title: str, command: str, about: str) -> str:
    """Markdown: mean and spread of each method per organ, the last one's paired test, by measure.

    about: what was compared, in words.
    """
    parts = [f"# {title}", f"Made by `{command}`. Mean and standard deviation.", about]
    for measure, rows in measured.items():
        parts += [f"## {measure}", table(rows)] if len(measured) > 1 else [table(rows)]
    last = list(dict.fromkeys(row[2] for rows in measured.values() for row in rows))[-1]
    parts.append(f"p: Wilcoxon, paired by patient, {last} against the best other method.")
    return "\n\n".join(parts) + "\n"


def table(rows: Sequence[Row]) -> str:
    """One measure's table."""
    methods = list(dict.fromkeys(row[2] for row in rows))
    scores: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for case, organ, method, value in rows:
        scores[organ][method][case] = value
    lines = [f"| organ | n | {' | '.join(methods)} | p |"]
    lines.append("| --- " * (len(methods) + 3) + "|")
    for organ, found in scores.items():
        cells = [_cell(list(found[method].values())) for method in methods]
        lines.append(
            f"| {organ} | {len(found[methods[0]])} | {' | '.join(cells)} | {_test(found)} |"
        )
    return "\n".join(lines)


def _cell(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


def _test(found: Mapping[str, Mapping[str, float]]) -> str:
    *others, last = found
    best = max(others, key=lambda method: float(np.mean(list(found[method].values()))))
    cases = [case for case in found[last] if case in found[best]]
    differences: NDArray[np.float64] = np.array([found[last][c] - found[best][c] for c in cases])
    if len(cases) < 6 or not differences.any():
        return "n too small"
    p = float(stats.wilcoxon(differences).pvalue)
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
