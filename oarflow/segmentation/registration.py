"""Rigid registration of an MR to the CT (HANSEG).

SimpleITK is imported only here and only when an MR is registered: the image lacks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oarflow.geometry import Grid
from oarflow.masks import dice_of_sizes
from oarflow.networks.sampling import AIR_HU, low_pass_sigma, read, read_weights
from oarflow.segmentation.rigid import Registration, Rigid
from oarflow.types import FloatArray
from oarflow.volume import Volume

GRID_MM = 2.5
"""Spacing in mm at which both images are registered."""

LEVELS = ((4, 4.0, 1.0), (2, 2.0, 0.5), (1, 0.0, 0.1))
"""Shrink factor, smoothing in mm and share of the voxels for each level, coarse to fine."""

START_STEPS_MM = (-80.0, -40.0, 0.0, 40.0, 80.0)
"""Starting positions along z, in mm from the common centre: the MR may show a part of the CT."""

BINS = 32
ITERATIONS = 100
SEED = 1

BODY_HU = -300.0
TOP_PERCENT = 99.5


class RegistrationError(Exception):
    """The MR cannot be registered to the CT; the text says why."""


def scaled_mr(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values scaled from the MR's minimum and 99.5th percentile to 0 and 1000, and clipped."""
    low, high = np.percentile(values, (1.0, TOP_PERCENT))
    scale = 1000.0 / max(float(high - low), 1e-6)
    return np.asarray(
        np.clip((values - np.float32(low)) * np.float32(scale), 0, 1000), dtype=np.float32
    )


def register(ct: Volume, mr: Volume) -> Registration:
    """Register the MR to the CT; mr.hu holds the MR's values. Check `trouble` before use.

    Raises RegistrationError where SimpleITK is missing or no start leads to an overlap.
    """
    itk = _simple_itk()
    still = _EvenImage.of(mr.grid, scaled_mr(mr.hu), 0.0)
    moving = _EvenImage.of(ct.grid, np.clip(ct.hu, -1000, 1500), AIR_HU)
    fixed_image, moving_image = still.as_itk(itk), moving.as_itk(itk)
    best = None
    for start in _start_transforms(itk, ct, mr, still, moving):
        found = _optimized(itk, fixed_image, moving_image, start, LEVELS[:1])
        if found is not None and (best is None or found[1] > best[1]):
            best = found
    final = _optimized(itk, fixed_image, moving_image, best[0], LEVELS[1:]) if best else None
    if final is None:
        raise RegistrationError("no position of the MR overlaps with the CT")
    before = _mutual_information(itk, fixed_image, moving_image, _euler(itk, still.centre_lps))
    return _measured(final, before, still, moving)


def on_ct(
    mr: NDArray[np.float32], mr_grid: Grid, ct_grid: Grid, mr_to_ct: Rigid
) -> NDArray[np.float32]:
    """float32 (z, y, x) values of an MR at the CT's voxels, linear; 0 outside the MR."""
    result = np.empty(ct_grid.shape, dtype=np.float32)
    back = mr_to_ct.inverse
    rows, columns = np.indices(ct_grid.shape[1:], dtype=np.float64)
    plane = np.stack((rows, columns), axis=-1)
    for k in range(ct_grid.shape[0]):
        index = mr_grid.patient_to_index(back(ct_grid.slice_to_patient(k, plane)))
        result[k] = ndimage.map_coordinates(mr, np.moveaxis(index, -1, 0), order=1, cval=0.0)
    return result


def _simple_itk() -> Any:
    try:
        import SimpleITK  # a quarter of a gigabyte, for the few who have an MR
    except ImportError as error:
        raise RegistrationError("SimpleITK is not installed") from error
    return SimpleITK


@dataclass(frozen=True, eq=False)
class _EvenImage:
    """An image resampled to GRID_MM along its own axes. outside: the value beyond it."""

    values: NDArray[np.float32]
    grid: Grid
    axes: tuple[FloatArray, FloatArray, FloatArray]
    outside: float

    @classmethod
    def of(cls, grid: Grid, values: NDArray[np.float32], outside: float) -> _EvenImage:
        axes, weights = [], []
        for axis in range(3):
            source = grid.axis_mm(axis)
            targets = np.arange(float(source[0]), float(source[-1]) + 1e-6, GRID_MM)
            sigma = low_pass_sigma(GRID_MM / 2, grid.spacing_zyx[axis])
            axes.append(targets)
            weights.append(read_weights(source, targets, sigma))
        z, y, x = weights
        return cls(read(values, (z, y, x), outside), grid, (axes[0], axes[1], axes[2]), outside)

    def points(self, index: NDArray[np.intp]) -> FloatArray:
        """(n, 3) LPS of indices (z, y, x)."""
        mm = [self.axes[axis][index[:, axis]] for axis in range(3)]
        return self.grid.axes_to_patient(np.stack(mm, axis=-1))

    @property
    def centre_lps(self) -> FloatArray:
        return self.grid.axes_to_patient([float(axis.mean()) for axis in self.axes])

    def as_itk(self, itk: Any) -> Any:
        image = itk.GetImageFromArray(self.values)
        image.SetSpacing([GRID_MM] * 3)
        image.SetOrigin([float(v) for v in self.grid.axes_to_patient([a[0] for a in self.axes])])
        frame = np.stack((self.grid.x_direction, self.grid.y_direction, self.grid.normal), axis=1)
        image.SetDirection([float(v) for v in frame.ravel()])
        return image


def _euler(itk: Any, centre: FloatArray, translation: FloatArray | None = None) -> Any:
    transform = itk.Euler3DTransform()
    transform.SetCenter([float(v) for v in centre])
    transform.SetTranslation([0.0] * 3 if translation is None else [float(v) for v in translation])
    return transform


def _start_transforms(
    itk: Any, ct: Volume, mr: Volume, still: _EvenImage, moving: _EvenImage
) -> Iterator[Any]:
    """The MR's own position, and the bodies' centres aligned at several heights."""
    yield _euler(itk, still.centre_lps)
    if ct.source.frame_of_reference_uid == mr.source.frame_of_reference_uid:
        return
    towards = _body_centre(moving, BODY_HU) - _body_centre(still, _air_level(still.values))
    for step in START_STEPS_MM:
        yield _euler(itk, still.centre_lps, towards + np.array([0.0, 0.0, step]))


def _optimized(
    itk: Any, fixed: Any, moving: Any, start: Any, levels: tuple[tuple[int, float, float], ...]
) -> tuple[Any, float] | None:
    """The transform of MR to CT points and its mutual information; None where nothing overlaps."""
    method = _method(itk)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, ITERATIONS, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([factor for factor, _, _ in levels])
    method.SetSmoothingSigmasPerLevel([sigma for _, sigma, _ in levels])
    method.SetMetricSamplingPercentagePerLevel([share for _, _, share in levels], SEED)
    method.SetInitialTransform(itk.Euler3DTransform(start), inPlace=False)
    try:
        found = method.Execute(fixed, moving)
    except RuntimeError:  # no voxel of one lies within the other
        return None
    if hasattr(found, "GetBackTransform"):
        found = found.GetBackTransform()
    return itk.Euler3DTransform(found), -float(method.GetMetricValue())


def _method(itk: Any) -> Any:
    method = itk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(LEVELS[-1][2], SEED)
    method.MetricUseFixedImageGradientFilterOff()  # derivatives where samples are: the CT is large
    method.MetricUseMovingImageGradientFilterOff()
    method.SetInterpolator(itk.sitkLinear)
    return method


def _mutual_information(itk: Any, fixed: Any, moving: Any, transform: Any) -> float:
    method = _method(itk)
    method.SetInitialTransform(transform)
    try:
        return -float(method.MetricEvaluate(fixed, moving))
    except RuntimeError:
        return 0.0


def _measured(
    final: tuple[Any, float], before: float, still: _EvenImage, moving: _EvenImage
) -> Registration:
    transform, information = final
    rotation = np.array(transform.GetMatrix()).reshape(3, 3)
    centre = np.array(transform.GetCenter())
    rigid = Rigid(rotation, centre + np.array(transform.GetTranslation()) - rotation @ centre)
    overlap, dice = _body_agreement(rigid, still, moving)
    moved = float(np.linalg.norm(rigid(still.centre_lps) - still.centre_lps))
    return Registration(rigid, information, before, overlap, dice, moved)


def _body_agreement(rigid: Rigid, still: _EvenImage, moving: _EvenImage) -> tuple[float, float]:
    """Share of the MR's body within the CT, and Dice of the bodies where both images reach."""
    body = _body(still.values, _air_level(still.values))
    other = _body(moving.values, BODY_HU).astype(np.float32)
    points = rigid(still.points(np.argwhere(np.ones(body.shape, dtype=bool))))
    index = (moving.grid.patient_to_axes(points) - [a[0] for a in moving.axes]) / GRID_MM
    inside = np.all((index >= 0) & (index <= np.array(other.shape) - 1), axis=-1)
    there = ndimage.map_coordinates(other, index.T, order=0, cval=0.0) >= 0.5
    here = body.ravel()
    within, shared = int((here & inside).sum()), int((here & there & inside).sum())
    overlap = within / max(1, int(here.sum()))
    return overlap, dice_of_sizes(shared, within, int((there & inside).sum()))


def _air_level(values: NDArray[np.float32]) -> float:
    """The level of the body in a scaled MR: half of Otsu's, because fat is brighter than muscle."""
    counts, edges = np.histogram(values, bins=128)
    middles = (edges[1:] + edges[:-1]) / 2
    below, mass = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return float(middles[int(np.nanargmax(spread))]) / 2


def _body(values: NDArray[np.float32], level: float) -> NDArray[np.bool_]:
    """The largest piece above a level, with its cavities."""
    labels, count = ndimage.label(ndimage.binary_opening(values > level, iterations=2))
    if count == 0:
        return np.zeros(values.shape, dtype=bool)
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    closed = ndimage.binary_closing(np.pad(largest, 3), iterations=3)[3:-3, 3:-3, 3:-3]
    return np.stack([ndimage.binary_fill_holes(plane) for plane in closed])


def _body_centre(image: _EvenImage, level: float) -> FloatArray:
    inside = np.argwhere(_body(image.values, level))
    return image.points(inside).mean(axis=0) if len(inside) else image.centre_lps
