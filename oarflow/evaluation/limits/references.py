"""Reference contours as the scenes that plausibility looks at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

import numpy as np
from pydicom import Dataset

from oarflow.datasets.cases import Case
from oarflow.datasets.openkbp import OpenKbp
from oarflow.datasets.split import OPENKBP_SPLIT, Split
from oarflow.datasets.tcia_oars import CroppedMask, Drawing
from oarflow.evaluation.limits.predictions import published, volume_of
from oarflow.geometry import Grid
from oarflow.organs import Catalogue
from oarflow.plausibility.evidence import Scene, gather
from oarflow.structures import ProbabilityField, Segmentation, Status
from oarflow.types import Mask
from oarflow.volume import Source, Volume


@lru_cache(maxsize=1)
def openkbp_split() -> Split:
    """Who of OpenKBP's training patients fits and who tunes, and which labels are wrong."""
    return Split.read(OPENKBP_SPLIT).of_openkbp()


def openkbp_references(
    cases: OpenKbp, ids: Collection[str], excluded: Collection[tuple[str, str]] = ()
) -> Iterator[tuple[Volume, tuple[Segmentation, ...]]]:
    """Each patient's volume and references, on the slices where its CT was published."""
    for case_id in ids:
        case = published(cases[case_id])
        drawn = (organ for organ in case.masks if (organ, case_id) not in excluded)
        yield volume_of(case), tuple(references(case, drawn))


def references(case: Case, organs: Iterator[str]) -> Iterator[Segmentation]:
    """The case's masks as segmentations; empty ones are left out."""
    for organ in organs:
        item = as_segmentation(organ, case.masks[organ])
        if item is not None:
            yield item


def as_segmentation(organ: str, mask: Mask) -> Segmentation | None:
    """A mask (z, y, x) as a segmentation, cropped to where it is; None where it is empty."""
    box = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if not len(used):
            return None
        box.append(slice(int(used[0]), int(used[-1]) + 1))
    offset = (box[0].start, box[1].start, box[2].start)
    return Segmentation(organ, Status.SEGMENTED, _field(mask[tuple(box)], offset))


def drawing_scene(drawing: Drawing, catalogue: Catalogue) -> Scene:
    """One observer's masks as a scene. The CT is not part of that data set: all is 0 HU.

    The scan's own ends are unknown; what touches no other is taken for whole.
    """
    margin = 8
    drawn = {organ: mask for organ, mask in drawing.masks.items() if mask.values.any()}
    high = np.max([m.offset + m.values.shape for m in drawn.values()], axis=0) + margin
    low = np.min([m.offset for m in drawn.values()], axis=0) - margin
    size = high - low
    shape = (int(size[0]), int(size[1]), int(size[2]))
    step, rows, columns = drawing.spacing_zyx
    grid = Grid(
        np.arange(shape[0])[:, None] * np.array((0.0, 0.0, step)),
        np.array([1.0, 0.0, 0.0]),
        np.array([0.0, 1.0, 0.0]),
        (rows, columns),
        shape,
    )
    uids = tuple(f"1.2.3.{k}" for k in range(shape[0]))
    source = Source("1.2.1", "1.2.2", "1.2.4", "1.2.5", uids, Dataset(), "")
    nothing = np.broadcast_to(np.float32(0), shape)
    items = [_drawn(organ, mask, low) for organ, mask in drawn.items()]
    return gather(Volume(nothing, grid, source), items, catalogue)


def _drawn(
    organ: str, mask: CroppedMask, low: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> Segmentation:
    z, y, x = (int(v) for v in mask.offset - low)
    return Segmentation(organ, Status.SEGMENTED, _field(mask.values, (z, y, x)))


def _field(mask: Mask, offset: tuple[int, int, int]) -> ProbabilityField:
    return ProbabilityField(mask.astype(np.float32), offset)


def by_organ(scene: Scene) -> Mapping[str, ProbabilityField]:
    """The fields of a scene's contours."""
    return {
        organ: contour.item.field
        for organ, contour in scene.contours.items()
        if contour.item.field is not None
    }
