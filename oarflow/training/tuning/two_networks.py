"""Two networks for each organ on the tuning patients: Dice with the reference and each other."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oarflow.compare.overlap import dice
from oarflow.networks.cards import Card
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.store import ModelStore
from oarflow.segmentation.pasting import without_strays
from oarflow.segmentation.search import find_organs
from oarflow.structures import ProbabilityField
from oarflow.tables import markdown_table
from oarflow.training.data.as_served import segmenter_of, volume_of
from oarflow.training.data.cases import TrainingCase

THRESHOLD = 0.5


@dataclass(frozen=True)
class TwoNetworkDice:
    """Dice of one organ of one patient: of each network and of the mean of their fields with the
    reference, and of the networks' masks with each other."""

    first: float
    second: float
    mean: float
    each_other: float


def two_network_dice(
    case: TrainingCase, first: ModelStore, second: ModelStore
) -> Iterable[tuple[str, TwoNetworkDice]]:
    """The Dice of every labelled organ that both stores know.

    Both contour where the first one's localizer, or the organ's neighbours, put the organ.
    """
    localizations = find_organs(volume_of(case), first, second.localized_organs)
    segmenters = [segmenter_of(case, store, localizations) for store in (first, second)]
    for organ, truth in case.masks.items():
        if organ not in first.organs or organ not in second.organs:
            continue
        fields = [_whole(one.segment(organ).field, truth.shape) for one in segmenters]
        one, other = (case.labelled(field >= THRESHOLD) for field in fields)
        mean = without_strays((fields[0] + fields[1]) * np.float32(0.5), THRESHOLD)
        both = case.labelled(mean >= THRESHOLD)
        yield (
            organ,
            TwoNetworkDice(
                dice(truth, one), dice(truth, other), dice(truth, both), dice(one, other)
            ),
        )


def _whole(field: ProbabilityField | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    values = np.zeros(shape, dtype=np.float32)
    if field is not None:
        values[field.box] = field.values
    return values


def write_two_networks(
    cases: Iterable[TrainingCase], first: ModelStore, second: ModelStore, output: Path
) -> None:
    """Write a Markdown table of the organs that both models folders know."""
    by_organ: dict[str, list[TwoNetworkDice]] = defaultdict(list)
    count = 0
    for case in cases:
        count += 1
        for organ, scores in two_network_dice(case, first, second):
            by_organ[organ].append(scores)
    lines = [
        "# Two networks for each organ",
        "",
        f"Made by `oarflow train agreement` from {count} tuning patients. Mean Dice with the"
        " reference: of each network and of the mean of both probability fields. The last column"
        " is the Dice of the two networks with each other.",
        "",
        markdown_table(
            ("organ", "n", "first", "second", "mean field", "with each other"),
            [(organ, len(found), *_means(found)) for organ, found in by_organ.items()],
        ),
        "",
        markdown_table(
            ("", "architecture of the first", "of the second"),
            [
                (organ, *(_network(store.card(organ)) for store in (first, second)))
                for organ in by_organ
            ],
        ),
    ]
    output.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _means(found: Sequence[TwoNetworkDice]) -> Iterator[str]:
    for column in zip(*(astuple(scores) for scores in found), strict=True):
        yield f"{statistics.mean(column):.3f}"


def _network(card: Card) -> str:
    trained = "imported" if isinstance(card, ImportedCard) else f"{card.training.steps} steps"
    return f"{card.dimensions}-D {card.architecture}, {trained}"
