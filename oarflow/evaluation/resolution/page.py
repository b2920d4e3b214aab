"""The page of the agreement of fine and coarse contours."""

from __future__ import annotations

from collections.abc import Sequence

from oarflow.evaluation.application import ModelFile
from oarflow.evaluation.chain.page import models_table
from oarflow.evaluation.resolution.agreement import Agreement
from oarflow.evaluation.resolution.lattices import LATTICES, STEP
from oarflow.tables import markdown_table


def markdown(
    found: Sequence[Agreement], models: Sequence[ModelFile], command: str, date: str
) -> str:
    """The whole page. command: what made it. date: ISO 8601."""
    smoothness = list(dict.fromkeys(one.smoothness_mm for one in found))
    rows = []
    for organ in dict.fromkeys(one.organ for one in found):
        own = {one.smoothness_mm: one for one in found if one.organ == organ}
        best = max(one.dice for one in own.values())
        cells = [_cell(own[one].dice, best) if one in own else "-" for one in smoothness]
        volumes = [f"{own[one].volume_cc:.1f}" if one in own else "-" for one in smoothness]
        rows.append((organ, *cells, " / ".join(volumes)))
    parts = [
        "# Smoothness of fine CTs",
        f"Made by `{command}` on {date}. OARflow contours a CT with fine pixels and "
        f"{len(LATTICES)} coarse CTs that are made from it. A coarse CT is like those of OpenKBP: "
        f"it keeps one of {STEP} pixels along rows and columns, and it is masked to the body. The "
        "table shows the mean Dice between the contours on the fine and on the coarse CTs. Each "
        "column belongs to one value (mm) of the in-plane smoothness on the networks' cards. "
        "OARflow blurs the fine CT to this smoothness. The best value of each row is bold. The "
        "last column shows the volume (cc) of the contour on the fine CT at each smoothness.",
        markdown_table(("organ", *(f"{one:g}" for one in smoothness), "volume"), rows),
        "## Models",
        models_table(models),
    ]
    return "\n\n".join(parts) + "\n"


def _cell(value: float, best: float) -> str:
    return f"**{value:.4f}**" if value == best else f"{value:.4f}"
