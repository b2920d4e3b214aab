"""The page of fast inference beside exact labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from oarflow.evaluation.fast_inference.agreement import DiceAndDistance, FastAgreement
from oarflow.importing.agreement import LEAST_CC, LEAST_DICE, MOST_MM
from oarflow.networks.imported.card import ImportedCard
from oarflow.tables import markdown_table

COLUMNS = (
    "CT",
    "organ",
    "volume (cc)",
    "Dice, searched part",
    "mean distance (mm)",
    "Dice, whole CT",
    "mean distance, whole CT (mm)",
    "voxels outside",
)


def markdown(found: Sequence[FastAgreement], card: ImportedCard, command: str, date: str) -> str:
    """The whole page. command: what made it. date: ISO 8601."""
    rows = [
        (
            one.ct,
            one.organ,
            f"{one.volume_cc:.1f}",
            *_cells(one.searched),
            *_cells(one.whole),
            str(one.outside),
        )
        for one in found
    ]
    large = [one for one in found if one.volume_cc >= LEAST_CC]
    hold = [
        one for one in large if one.searched.dice >= LEAST_DICE and one.searched.mean_mm < MOST_MM
    ]
    parts = [
        "# Fast inference beside exact labels",
        f"Made by `{command}` on {date} with the network {card.name} ({card.source.origin}). Fast "
        "inference contours the organs in the searched part of the CT. Exact inference gives every "
        "voxel of the whole CT the label that nnU-Net gives it. Both run without mirroring and in "
        "single precision.",
        markdown_table(COLUMNS, rows),
        f"In the searched part, {len(hold)} of {len(large)} organs of {LEAST_CC:g} cc and more "
        f"have a Dice of at least {LEAST_DICE:g} and a mean surface distance below {MOST_MM:g} mm.",
        "The last column counts the voxels that exact inference labels outside the searched part. "
        "Fast inference does not search there, so that it has none of them. Such voxels lie far "
        "from the organ. A few of them change the mean surface distance more than the Dice.",
    ]
    return "\n\n".join(parts) + "\n"


def _cells(overlap: DiceAndDistance) -> tuple[str, str]:
    distance = "-" if math.isnan(overlap.mean_mm) else f"{overlap.mean_mm:.3f}"
    return f"{overlap.dice:.4f}", distance
