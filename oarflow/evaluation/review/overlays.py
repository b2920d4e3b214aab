"""Pictures of contours on their CT: for looking, and for the pages that show what comes out.

No text of the headers is drawn: only organs' names, slice numbers and positions.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from oarflow.intake.scan import scan
from oarflow.masks import bounding_box
from oarflow.rtstruct.drawn import read_drawn_volume
from oarflow.rtstruct.frames import OTHER_FRAME, on_frame
from oarflow.rtstruct.model import Roi
from oarflow.rtstruct.raster import rasterise
from oarflow.rtstruct.reader import read_structure_set
from oarflow.types import Mask
from oarflow.volume import Volume

LOGGER = logging.getLogger(__name__)

WINDOW_HU = (-160.0, 240.0)
"""Lowest and highest HU shown: soft tissue."""

MARGIN_MM = 30.0
"""Shown around all contours."""

SLICES_PER_ORGAN = 3
DPI = 100


@dataclass(frozen=True, eq=False)
class DrawnRegion:
    """One region: its contours, and its mask (z, y, x) on the CT grid."""

    roi: Roi
    mask: Mask

    @property
    def colour(self) -> tuple[float, float, float]:
        red, green, blue = self.roi.colour
        return red / 255, green / 255, blue / 255


@dataclass(frozen=True, eq=False)
class OverlayScene:
    """A CT, its regions, and the part (z, y, x) that holds all of them."""

    volume: Volume
    regions: tuple[DrawnRegion, ...]
    box: tuple[slice, slice, slice]


def draw(ct_dir: Path, rtstruct: Path, out_dir: Path) -> tuple[Path, ...]:
    """Write `axial.png` (slices through each organ) and `planes.png` (coronal and sagittal).

    Returns the files. Raises Refusal or ReadError where the input cannot be read, ValueError where
    nothing is contoured on the CT.
    """
    scene = load_scene(ct_dir, rtstruct)
    out_dir.mkdir(parents=True, exist_ok=True)
    written = []
    with mpl.rc_context({"font.size": 9, "text.color": "white", "axes.titlecolor": "white"}):
        for name, figure in (("axial", _axial(scene)), ("planes", _planes(scene))):
            path = out_dir / f"{name}.png"
            figure.savefig(path, dpi=DPI, facecolor="black")
            written.append(path)
    return tuple(written)


def load_scene(ct_dir: Path, rtstruct: Path) -> OverlayScene:
    """Read a CT and the regions that have contours on it; raises as `draw` does."""
    structures = read_structure_set(rtstruct)
    volume = read_drawn_volume(scan(ct_dir), (structures,)).volume
    on_ct, elsewhere = on_frame(structures, volume.source.frame_of_reference_uid)
    for name in elsewhere:
        LOGGER.warning("%s: %s", name, OTHER_FRAME)
    regions = tuple(
        DrawnRegion(roi, found.full(volume.grid.shape))
        for roi, found in rasterise(on_ct, volume.grid)
        if found.values.any()
    )
    if not regions:
        raise ValueError("the structure set has no contour on this CT")
    together = np.zeros(volume.grid.shape, dtype=np.bool_)
    for region in regions:
        together |= region.mask
    return OverlayScene(volume, regions, _around(together, volume.grid.spacing_zyx))


def _around(mask: Mask, spacing_zyx: tuple[float, float, float]) -> tuple[slice, slice, slice]:
    return bounding_box(mask, [round(MARGIN_MM / mm) for mm in spacing_zyx])


def shown_slices(mask: Mask) -> tuple[int, ...]:
    """Slices at a fifth, at half and at four fifths of an organ's height, ascending."""
    planes = np.flatnonzero(mask.any(axis=(1, 2)))
    places = np.linspace(0.2, 0.8, SLICES_PER_ORGAN) * (len(planes) - 1)
    return tuple(dict.fromkeys(int(planes[round(place)]) for place in places))


def _axial(scene: OverlayScene) -> Figure:
    """One row an organ, its slices from feet to head."""
    rows = len(scene.regions)
    figure = Figure(figsize=(3.2 * SLICES_PER_ORGAN, 2.9 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, SLICES_PER_ORGAN, squeeze=False)
    for row, region in zip(axes, scene.regions, strict=True):
        for axis in row:
            axis.set_axis_off()
        for axis, k in zip(row, shown_slices(region.mask), strict=False):
            _show_axial(axis, scene, k)
            axis.set_title(f"{region.roi.name}, slice {k + 1}", fontsize=8)
    _legend(figure, scene.regions)
    return figure


def _show_axial(axis: Axes, scene: OverlayScene, k: int) -> None:
    _, rows, columns = scene.box
    row_mm, column_mm = scene.volume.grid.spacing_yx
    axis.imshow(
        scene.volume.hu[k, rows, columns],
        cmap="gray",
        vmin=WINDOW_HU[0],
        vmax=WINDOW_HU[1],
        extent=(columns.start - 0.5, columns.stop - 0.5, rows.stop - 0.5, rows.start - 0.5),
        aspect=row_mm / column_mm,
    )
    for region in scene.regions:
        for contour in region.roi.contours:
            index = scene.volume.grid.patient_to_index(contour.points_lps)
            if abs(float(index[0, 0]) - k) < 0.5:
                ring = np.vstack((index, index[:1]))
                axis.plot(ring[:, 2], ring[:, 1], color=region.colour, linewidth=1.2)


def _planes(scene: OverlayScene) -> Figure:
    """Coronal and sagittal planes through the middle of the two regions that are longest."""
    longest = sorted(scene.regions, key=lambda region: -int(region.mask.any(axis=(1, 2)).sum()))[:2]
    figure = Figure(figsize=(10, 4.8 * len(longest) + 0.6), layout="constrained")
    axes = figure.subplots(len(longest), 2, squeeze=False)
    for row, region in zip(axes, longest, strict=True):
        for axis, across in zip(row, (1, 2), strict=True):
            others = tuple(other for other in range(3) if other != across)
            index = int(np.argmax(region.mask.sum(axis=others)))
            _show_plane(axis, scene, across, index)
            side = "coronal" if across == 1 else "sagittal"
            axis.set_title(f"{region.roi.name}, {side}", fontsize=8)
    _legend(figure, scene.regions)
    return figure


def _show_plane(axis: Axes, scene: OverlayScene, across: int, index: int) -> None:
    """The plane at an index of one axis (1 y, 2 x), head up, masks outlined on their voxels."""
    z, along = scene.box[0], scene.box[3 - across]
    spacing = scene.volume.grid.spacing_zyx
    plane = np.take(scene.volume.hu, index, axis=across)[z, along]
    axis.set_axis_off()
    axis.imshow(
        plane,
        cmap="gray",
        vmin=WINDOW_HU[0],
        vmax=WINDOW_HU[1],
        origin="lower",
        aspect=spacing[0] / spacing[3 - across],
    )
    for region in scene.regions:
        cut = np.take(region.mask, index, axis=across)[z, along]
        if cut.any():
            axis.contour(cut.astype(float), levels=[0.5], colors=[region.colour], linewidths=1.0)


def _legend(figure: Figure, regions: Sequence[DrawnRegion]) -> None:
    handles = [Line2D([], [], color=r.colour, linewidth=2, label=r.roi.name) for r in regions]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(5, len(handles)),
        frameon=False,
        labelcolor="white",
    )
