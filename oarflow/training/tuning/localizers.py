"""Localizers side by side on the tuning patients: what they miss and how far they are off."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oarflow.networks.card import ModelCard
from oarflow.networks.store import ModelStore
from oarflow.segmentation.localizer import localize
from oarflow.tables import markdown_table
from oarflow.training.data.as_served import volume_of
from oarflow.training.data.cases import TrainingCase


@dataclass(frozen=True)
class LocalizationErrors:
    """One organ of one patient: in-plane error of the centre and errors of both ends, in mm.

    centre_mm is None where the localizer missed the organ. inferior_mm, superior_mm: how far the
    found end lies beyond the labelled one, upwards positive.
    """

    organ: str
    centre_mm: float | None
    inferior_mm: float = 0.0
    superior_mm: float = 0.0


def localization_errors(case: TrainingCase, store: ModelStore) -> Iterable[LocalizationErrors]:
    """The errors of every labelled organ that the localizer knows."""
    found = localize(volume_of(case), store)
    for organ in case.masks:
        if organ not in found:
            continue
        item = found[organ]
        if item.centroid_lps is None or item.slices is None:
            yield LocalizationErrors(organ, None)
            continue
        x, y, _ = item.centroid_lps
        _, true_y, true_x = case.centroid_mm(organ)
        low, high = case.range_mm(organ)
        step = float(case.spacing_mm[0])
        yield LocalizationErrors(
            organ,
            float(np.hypot(x - true_x, y - true_y)),
            item.slices[0] * step - low,
            item.slices[1] * step - high,
        )


def write_localizers(cases: Sequence[TrainingCase], folders: Sequence[Path], output: Path) -> None:
    """Write a Markdown table of every localizer's errors and seconds."""
    lines = [
        "# Localization networks compared",
        "",
        f"{len(cases)} tuning patients of OpenKBP, without the labels that the split excludes."
        " Centre: distance in the plane between the found and the labelled centre, median and 95th"
        " percentile. Ends: median distance of the lowest and the highest found slice from the"
        " label's. Seconds: on one thread, beside other work.",
        "",
        "Made by `oarflow train localizers --data DIR --models DIR DIR --output FILE`.",
    ]
    for folder in folders:
        store = ModelStore.open(folder, device="cpu")
        lines += _section(cases, store)
    output.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _section(cases: Sequence[TrainingCase], store: ModelStore) -> list[str]:
    card = store.localizer.card
    by_organ: dict[str, list[LocalizationErrors]] = defaultdict(list)
    started = time.process_time()
    for case in cases:
        for errors in localization_errors(case, store):
            by_organ[errors.organ].append(errors)
    seconds = (time.process_time() - started) / len(cases)
    return [
        "",
        f"## {card.name}",
        "",
        f"{_kind(card)}, {card.parameters:,} parameters, {card.training.steps} steps in"
        f" {card.training.minutes:g} minutes; {seconds:.2f} CPU seconds a patient.",
        "",
        markdown_table(
            ("organ", "n", "missed", "centre (mm)", "inferior end (mm)", "superior end (mm)"),
            [_row(organ, by_organ[organ]) for organ in card.organs if organ in by_organ],
        ),
    ]


def _kind(card: ModelCard) -> str:
    return "3-D, whole volume" if card.dimensions == 3 else f"2-D {card.view} planes"


def _row(organ: str, some: Sequence[LocalizationErrors]) -> tuple[object, ...]:
    found = [item for item in some if item.centre_mm is not None]
    missed = len(some) - len(found)
    if not found:
        return organ, len(some), missed, "", "", ""
    centres = np.array([item.centre_mm for item in found], dtype=np.float64)
    low = float(np.median([abs(item.inferior_mm) for item in found]))
    high = float(np.median([abs(item.superior_mm) for item in found]))
    centre = f"{np.median(centres):.1f} / {np.percentile(centres, 95):.1f}"
    return organ, len(some), missed, centre, f"{low:.1f}", f"{high:.1f}"
