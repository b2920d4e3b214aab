"""How well two observers agree on `tcia-oars`: at native resolution and at OpenKBP's.

OpenKBP's contours were drawn at clinical resolution and resampled, so that agreement on its voxels
is the ceiling to compare a network's figures with.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oarflow.compare.scores import Score, by_organ, finite, score
from oarflow.datasets.openkbp import ORGANS
from oarflow.datasets.tcia_oars import OBSERVERS, CroppedMask, read_drawing, scans
from oarflow.evaluation.scoring.files import read_scores, write_scores
from oarflow.evaluation.scoring.statistics import mean_sd
from oarflow.organs import Catalogue
from oarflow.tables import markdown_table
from oarflow.types import Mask, Spacing

LOGGER = logging.getLogger(__name__)

COARSE_YX_MM = 4.0
"""Pixel edge to resample to; slices keep their distance (2.5 mm here, 2.5 or 3 in OpenKBP)."""

NATIVE, COARSE = "native", "coarse"


def interobserver_scores(
    folder: Path, catalogue: Catalogue, cache: Path
) -> dict[str, tuple[Score, ...]]:
    """Scores of the radiographer against the oncologist, native and coarse.

    cache: scores of scans already done stay there. Organs that one observer left out are scored
    where the oncologist drew them. Raises FileNotFoundError without scans.
    """
    cache.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Score]] = {NATIVE: [], COARSE: []}
    paths = scans(folder)
    for number, path in enumerate(paths, start=1):
        stored = {kind: cache / f"{path.stem}-{kind}.csv" for kind in found}
        if not all(file.is_file() for file in stored.values()):
            for kind, scores in _scan(path, catalogue).items():
                write_scores(stored[kind], scores)
        for kind, scores in found.items():
            scores.extend(read_scores(stored[kind]))
        LOGGER.info("%d/%d", number, len(paths))
    return {kind: tuple(scores) for kind, scores in found.items()}


def _scan(path: Path, catalogue: Catalogue) -> dict[str, list[Score]]:
    one, other = (
        read_drawing(path.parent.parent / observer / path.name, catalogue) for observer in OBSERVERS
    )
    if one.spacing_zyx != other.spacing_zyx:
        raise ValueError(f"{path.stem}: the observers' grids differ")
    found: dict[str, list[Score]] = {NATIVE: [], COARSE: []}
    for organ, drawn in one.masks.items():
        again = other.masks.get(organ)
        if again is None or not drawn.values.any() or not again.values.any():
            continue
        reference, mask = _together(drawn, again)
        found[NATIVE].append(score(path.stem, organ, mask, reference, one.spacing_zyx))
        coarse_mm = (one.spacing_zyx[0], COARSE_YX_MM, COARSE_YX_MM)
        coarse = [resampled(values, one.spacing_zyx, coarse_mm) for values in (mask, reference)]
        if coarse[1].any():
            found[COARSE].append(score(path.stem, organ, coarse[0], coarse[1], coarse_mm))
    return found


def _together(one: CroppedMask, other: CroppedMask) -> tuple[Mask, Mask]:
    """Both masks on the smallest box that holds both."""
    low = np.minimum(one.offset, other.offset)
    high = np.maximum(one.offset + one.values.shape, other.offset + other.values.shape)
    return one.within(low, high), other.within(low, high)


def resampled(mask: Mask, spacing_zyx: Spacing, target_zyx: Spacing) -> Mask:
    """A mask on other voxels over the same corner: in where at least half of the voxel is.

    Exact areas, axis by axis; slices must keep their distance. Raises ValueError where they do not.
    """
    if spacing_zyx[0] != target_zyx[0]:
        raise ValueError("slices keep their distance")
    rows, columns = (
        _shares(mask.shape[axis], spacing_zyx[axis], target_zyx[axis]) for axis in (1, 2)
    )
    share = np.einsum("iy,zyx,jx->zij", rows, mask.astype(np.float64), columns, optimize=True)
    return np.asarray(share >= 0.5 - 1e-9)


def _shares(count: int, old_mm: float, new_mm: float) -> NDArray[np.float64]:
    """(new, old) share of each new pixel that each old one covers, along one axis."""
    old = np.arange(count + 1) * old_mm
    new = np.arange(int(np.ceil(count * old_mm / new_mm - 1e-9)) + 1) * new_mm
    low = np.maximum(new[:-1, None], old[None, :-1])
    high = np.minimum(new[1:, None], old[None, 1:])
    return np.asarray(np.maximum(high - low, 0.0) / new_mm)


def markdown(
    scores: dict[str, tuple[Score, ...]], catalogue: Catalogue, command: str, date: str
) -> str:
    """The whole page. command: what made it. date: ISO 8601."""
    native = by_organ(scores[NATIVE], catalogue.names)
    coarse = by_organ(scores[COARSE], catalogue.names)
    scans_count = len({one.case for one in scores[NATIVE]})
    rows = [
        (
            organ,
            *_columns(group),
            mean_sd([one.surface_dice for one in group]),
            *_columns(coarse.get(organ, [])),
        )
        for organ, group in native.items()
    ]
    in_openkbp = [
        {organ: groups[organ] for organ in ORGANS if organ in groups} for groups in (native, coarse)
    ]
    rows += [
        _means("mean of organs", native, coarse),
        _means("mean of those in OpenKBP", *in_openkbp),
    ]
    return (
        "\n\n".join(
            (
                "# Agreement of two observers",
                f"Made by `{command}` on {date}: a radiographer's contours against an "
                f"oncologist's on {scans_count} planning CTs of the head and neck (`tcia-oars`), "
                "organs that both drew.",
                markdown_table(_HEAD, rows),
                _READING,
            )
        )
        + "\n"
    )


_HEAD = (
    "organ",
    "n",
    "Dice native",
    "HD95 native (mm)",
    "surface Dice 2 mm",
    "n 4 mm",
    "Dice 4 mm",
    "HD95 4 mm (mm)",
)

_COLUMNS = {
    "all values": "mean (SD) over scans",
    "native": "pixels of 0.94 to 1.27 mm, slices 2.5 mm apart",
    "4 mm": "both masks on pixels of 4 x 4 mm on the same slices, as in OpenKBP (most voxels 3.9 x "
    "3.9 x 2.5 to 3 mm). A pixel belongs to the organ if at least half of its area does. An organ "
    "that vanishes on these pixels does not count (n)",
    "HD95": "weighted by surface area, without infinite distances (an empty mask)",
}

_READING = (
    markdown_table(("column", "meaning"), _COLUMNS.items())
    + """

The values at 4 mm are the best that a network can reach on OpenKBP, with two reservations:

- Both observers followed one protocol. OpenKBP's contours come from many clinics with protocols of
  their own.
- Each clinic drew parotids, cords and larynxes only as far as it needed them."""
)


Groups = Mapping[str, Sequence[Score]]


def _columns(group: Sequence[Score]) -> tuple[object, ...]:
    distances = finite(one.hd95_mm for one in group)
    return len(group), mean_sd([one.dsc for one in group]), mean_sd(distances, 2)


def _means(name: str, native: Groups, coarse: Groups) -> tuple[object, ...]:
    """The row of means of the organs' means."""
    return (
        f"**{name}**",
        *_mean_columns(native),
        f"{_mean_of(native, 'surface_dice'):.3f}",
        *_mean_columns(coarse),
    )


def _mean_columns(groups: Groups) -> tuple[object, ...]:
    dsc, hd95 = _mean_of(groups, "dsc"), _mean_of(groups, "hd95_mm")
    return sum(map(len, groups.values())), f"{dsc:.3f}", f"{hd95:.2f}"


def _mean_of(groups: Groups, metric: str) -> float:
    means = [finite(getattr(one, metric) for one in group) for group in groups.values()]
    return float(np.mean([np.mean(values) for values in means if values]))
