"""Pictures of derived labels: many patients on a sheet, or every third slice of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from oarflow.datasets.cases import Case
from oarflow.datasets.derived.store import DerivedLabels, read_labels
from oarflow.masks import bounding_box
from oarflow.types import Mask

COLOURS = {
    "Brain": (255, 60, 60),
    "Lung_L": (0, 220, 255),
    "Lung_R": (255, 80, 255),
    "Trachea": (80, 255, 80),
    "SpinalCanal": (255, 230, 0),
}
PER_SHEET = 24
COLUMNS = 12
EVERY = 3
WINDOW_HU = (-1000.0, 400.0)
PIXEL_MM = 2.5
"""Of a pixel on the sheets."""

Picture = NDArray[np.uint8]


def write_sheets(cases: Iterable[Case], folder: Path) -> list[Path]:
    """sheet_N.png: 24 patients each, from the side through the cord, from the front, an axial one.

    folder: where `<case>.npz` of the derived labels are, and the sheets go.
    """
    written = []
    for number, batch in enumerate(_batches(cases)):
        columns = [
            _stacked(
                [named(view, case.id if not place else "") for place, view in enumerate(views)]
            )
            for case in batch
            for views in [_views(case, read_labels(folder / f"{case.id}.npz"))]
        ]
        path = folder / f"sheet_{number:02d}.png"
        Image.fromarray(mosaic(columns, COLUMNS)).save(path)
        written.append(path)
    return written


def _batches(cases: Iterable[Case]) -> Iterator[list[Case]]:
    batch: list[Case] = []
    for case in cases:
        batch.append(case)
        if len(batch) == PER_SHEET:
            yield batch
            batch = []
    if batch:
        yield batch


def _views(case: Case, labels: DerivedLabels) -> list[Picture]:
    body = case.body if case.body is not None else np.ones(case.ct.shape, dtype=np.bool_)
    box = bounding_box(body)
    ct = case.ct[box]
    masks = {organ: labels.masks[organ][box] for organ in COLOURS if organ in labels.masks}
    middle = np.argwhere(masks["Trachea"] if "Trachea" in masks else body[box]).mean(axis=0)
    y, x = int(middle[1]), int(middle[2])
    if "SpinalCord" in case.masks and case.masks["SpinalCord"].any():
        x = int(np.median(np.argwhere(case.masks["SpinalCord"][box])[:, 2]))
    z = int(np.clip(labels.slices[0] - box[0].start + 12, 0, len(ct) - 1))
    dz, dy, dx = case.spacing_zyx
    aside = drawn(ct[::-1, :, x], {o: m[::-1, :, x] for o, m in masks.items()}, (dz, dy), PIXEL_MM)
    return [
        named(aside, case.id),
        drawn(ct[::-1, y], {o: m[::-1, y] for o, m in masks.items()}, (dz, dx), PIXEL_MM),
        drawn(ct[z], {o: m[z] for o, m in masks.items()}, (dy, dx), PIXEL_MM),
    ]


def write_every_third(case: Case, labels: DerivedLabels, path: Path) -> Path:
    """Every third slice with all labels, upward from the first, with slice numbers of the case."""
    body = case.body if case.body is not None else np.ones(case.ct.shape, dtype=np.bool_)
    _, rows, columns = bounding_box(body)
    _, dy, dx = case.spacing_zyx
    pictures = []
    for level in range(labels.slices[0], labels.slices[1] + 1, EVERY):
        outlines = {o: labels.masks[o][level, rows, columns] for o in COLOURS if o in labels.masks}
        plane = drawn(case.ct[level, rows, columns], outlines, (dy, dx), PIXEL_MM)
        pictures.append(named(plane, str(level)))
    Image.fromarray(mosaic(pictures, 8)).save(path)
    return path


def drawn(
    ct: NDArray[np.generic],
    masks: Mapping[str, Mask],
    spacing: tuple[float, float],
    pixel_mm: float,
) -> Picture:
    """uint8 (rows, columns, 3): a plane in grey with the masks' outlines, on square pixels."""
    low, high = WINDOW_HU
    grey = (np.clip(ct.astype(np.float32), low, high) - low) * (255 / (high - low))
    rows, columns = (
        np.arange(int(size * step / pixel_mm)) * pixel_mm / step
        for size, step in zip(ct.shape, spacing, strict=True)
    )
    pick = np.ix_(rows.astype(int), columns.astype(int))
    picture = np.repeat(grey[pick][..., None], 3, axis=2).astype(np.uint8)
    for organ, mask in masks.items():
        shown = mask[pick]
        picture[shown & ~ndimage.binary_erosion(shown)] = COLOURS[organ]
    return picture


def named(picture: Picture, text: str) -> Picture:
    """The picture with a text in its upper left corner."""
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text((1, 0), text, fill=(255, 255, 255))
    return np.asarray(image)


def mosaic(pictures: Sequence[Picture], columns: int) -> Picture:
    """Pictures side by side, in rows, each in a field as large as the largest."""
    height = max(picture.shape[0] for picture in pictures) + 2
    width = max(picture.shape[1] for picture in pictures) + 2
    rows = -(-len(pictures) // columns)
    whole = np.zeros((rows * height, min(columns, len(pictures)) * width, 3), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        y, x = row * height, column * width
        whole[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return whole


def _stacked(pictures: Sequence[Picture]) -> Picture:
    return mosaic(pictures, 1)
