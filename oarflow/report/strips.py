"""A few slices of each organ, cropped around it, with its contour."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from oarflow.report.scene import Codes, Outline, ReportScene, Rings, code_table, windowed
from oarflow.types import FloatArray

TILES = 6
MARGIN_MM = 15.0
SMALLEST_EDGE_MM = 60.0
TILE_QUALITY = 80


@dataclass(frozen=True)
class DisplayWindow:
    """A named range of HU."""

    name: str
    low_hu: float
    high_hu: float


SOFT_TISSUE = DisplayWindow("soft tissue", -160, 240)
BONE = DisplayWindow("bone", -500, 1500)
AIRWAY = DisplayWindow("airway", -1350, 150)
BRAIN = DisplayWindow("brain", -10, 90)
WIDE = DisplayWindow("all", -1024, 2000)
WINDOWS = (SOFT_TISSUE, BRAIN, BONE, AIRWAY, WIDE)
"""The viewer's windows; it starts with the first."""

_BONE_HU, _AIRWAY_HU = 250.0, -300.0
"""An organ with its median HU above or below is shown in the window for bone or for air."""


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture: a JPEG of width x height pixels, with rings (n, 2) as (x, y) in its pixels."""

    slice_index: int
    position_mm: float
    jpeg: bytes
    width: int
    height: int
    rings: Rings


@dataclass(frozen=True, eq=False)
class Strip:
    """An organ's tiles, all of the same part of the image, from the feet to the head.

    aspect: width by height of the part in mm. sides: letters of the patient's sides at the
    pictures' left and right edges.
    """

    outline: Outline
    window: DisplayWindow
    aspect: float
    sides: tuple[str, str]
    tiles: tuple[Tile, ...]


def make_strips(scene: ReportScene) -> tuple[Strip, ...]:
    """A strip for every region that has a contour."""
    return tuple(_strip(scene, outline) for outline in scene.outlines if outline.rings)


def jpeg(grey: Codes, quality: int) -> bytes:
    """A grey image (rows, columns) as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def shown_slices(slices: tuple[int, ...]) -> tuple[int, ...]:
    """The first, the last, and evenly chosen slices between them, at most TILES."""
    places = np.linspace(0, len(slices) - 1, min(TILES, len(slices)))
    return tuple(dict.fromkeys(slices[round(float(place))] for place in places))


def _strip(scene: ReportScene, outline: Outline) -> Strip:
    rows, columns = _box(scene, outline)
    window = _window(scene, outline)
    tiles = []
    for k in shown_slices(tuple(outline.rings)):
        grey = windowed(scene.codes[k, rows, columns], window.low_hu, window.high_hu)
        tiles.append(
            Tile(
                k,
                float(scene.positions_mm[k]),
                jpeg(grey, TILE_QUALITY),
                grey.shape[1],
                grey.shape[0],
                tuple(ring - (columns.start, rows.start) for ring in outline.rings[k]),
            )
        )
    height = tiles[0].height * scene.pixel_mm[0]
    aspect = tiles[0].width * scene.pixel_mm[1] / height
    return Strip(outline, window, aspect, scene.faces[0], tuple(tiles))


def _box(scene: ReportScene, outline: Outline) -> tuple[slice, slice]:
    """Rows and columns around the whole organ, as square in mm as the image allows."""
    points = np.vstack([ring for rings in outline.rings.values() for ring in rings])
    low, high = points.min(axis=0)[::-1], points.max(axis=0)[::-1]
    pixel = np.asarray(scene.pixel_mm)
    edge_mm = max(float(((high - low) * pixel).max()) + 2 * MARGIN_MM, SMALLEST_EDGE_MM)
    first = np.floor((low + high) / 2 - edge_mm / 2 / pixel)
    last = np.ceil((low + high) / 2 + edge_mm / 2 / pixel)
    spans = [
        slice(max(0, int(a)), min(n, int(b)))
        for a, b, n in zip(first, last, scene.codes.shape[1:], strict=True)
    ]
    return spans[0], spans[1]


def _window(scene: ReportScene, outline: Outline) -> DisplayWindow:
    """The window for the HU inside the contours of the organ's middle slice."""
    slices = tuple(outline.rings)
    k = slices[len(slices) // 2]
    inside = filled(outline.rings[k], (scene.codes.shape[1], scene.codes.shape[2]))
    if not inside.any():
        return SOFT_TISSUE
    median = float(code_table()[int(np.median(scene.codes[k][inside]))])
    if median > _BONE_HU:
        return BONE
    return AIRWAY if median < _AIRWAY_HU else SOFT_TISSUE


def filled(rings: Rings, shape: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Pixels (rows, columns) inside the rings by the even-odd rule, to within a pixel."""
    inside = np.zeros(shape, dtype=np.bool_)
    for ring in rings:
        inside ^= _filled(ring, shape)
    return inside


def _filled(
    ring: FloatArray, shape: tuple[int, int]
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    image = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in ring - 0.5], fill=1)
    return np.array(image, dtype=np.bool_)
