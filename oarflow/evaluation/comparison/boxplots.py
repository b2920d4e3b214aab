"""Box plots of scores by organ, one source or several beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from oarflow.compare.scores import Score, by_organ, finite
from oarflow.evaluation.scoring.statistics import METRICS

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
"""Okabe and Ito's, told apart whatever one's colour vision."""


def draw(
    path: Path, sources: Mapping[str, Sequence[Score]], order: Sequence[str], metric: str
) -> None:
    """One panel of a metric: a box an organ and source, whiskers at 1.5 IQR, every outlier.

    Distances of organs that were not contoured are infinite and left out; the axis' label says how
    many. Raises ValueError where nothing can be drawn.
    """
    from matplotlib.figure import Figure

    every = [one for scores in sources.values() for one in scores]
    organs = [o for o, group in by_organ(every, order).items() if _values(group, metric)]
    if not organs:
        raise ValueError(f"no {METRICS[metric]} to draw")
    figure = Figure(figsize=(2.5 + 0.45 * len(organs) * len(sources), 4.2), layout="constrained")
    axis: Any = figure.subplots()
    for number, (name, scores) in enumerate(sources.items()):
        mine = by_organ(scores, order)
        width = 0.8 / len(sources)
        places = [k - 0.4 + width * (number + 0.5) for k in range(len(organs))]
        colour = COLOURS[number % len(COLOURS)]
        boxes = axis.boxplot(
            [_values(mine.get(organ, []), metric) for organ in organs],
            positions=places,
            widths=width * 0.85,
            patch_artist=True,
            flierprops={"marker": ".", "markersize": 3},
            medianprops={"color": "black"},
        )
        for box in boxes["boxes"]:
            box.set(facecolor=colour, alpha=0.7)
        axis.plot([], [], color=colour, linewidth=6, label=name)
    axis.set_xticks(range(len(organs)), organs, rotation=60, ha="right", fontsize=8)
    axis.set_ylabel(METRICS[metric] + _left_out(every, metric))
    axis.grid(axis="y", alpha=0.3)
    if len(sources) > 1:
        axis.legend(fontsize=8)
    figure.savefig(path, dpi=130, metadata={"Software": None} if path.suffix == ".png" else None)


def _values(scores: Sequence[Score], metric: str) -> list[float]:
    return finite(getattr(one, metric) for one in scores)


def _left_out(scores: Sequence[Score], metric: str) -> str:
    count = len(scores) - len(_values(scores, metric))
    return f"\n({count} not contoured, left out)" if count else ""
