"""Card schema 2, model.json: a network trained elsewhere that labels every voxel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from oarflow.licences import Commercial
from oarflow.networks.card import Positive, Role, Strict, Validation, card_digest
from oarflow.networks.imported.directions import check_orientation

if TYPE_CHECKING:
    from oarflow.structures import ModelIdentity, NetworkOrigin

Label = Annotated[int, Field(ge=1, le=255)]
Axis = Annotated[int, Field(ge=0, le=2)]
Edge = Annotated[int, Field(ge=1, le=512)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
SplineOrder = Literal[0, 1, 2, 3, 4, 5]

InferenceMode = Literal["fast", "exact"]
Alignment = Literal["edges", "corners", "first"]
ResampledValues = Literal["normalized", "hu", "whole hu"]
OrientationProof = Literal["proven", "sides undecided", "unproven"]

MOST_PATCH_VOXELS = 512 * 512 * 64
"""Greatest number of voxels of a tile."""

LEAST_WINDOW_STEP = 0.25
"""Least distance of a sliding window's tiles, as a share of the patch."""


class IntensityNormalization(Strict):
    """How HU become the network's input.

    ct: HU are limited to low and high; mean is subtracted; the rest is divided by std.
    linear: as ct, without limits.
    zscore: as linear, with the mean and standard deviation of the whole image.
    range: the image's least value becomes 0, its greatest 1. none: HU as they are.
    """

    scheme: Literal["ct", "linear", "zscore", "range", "none"] = "ct"
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    std: float = 1.0


class SplineResampling(Strict):
    """How values move between the CT's voxels and the network's.

    order: of the spline. separate_z: whether the axis with the thickest slices is resampled alone,
    with order_z; None: if its spacing is more than three times the smallest one.
    align: what coincides in both grids. edges: the edges of the outermost voxels. corners: the
    centres of the outermost voxels. first: the centre of the first voxel; the network's voxels have
    exactly its spacing, and values continue beyond the last voxel. Only with edges is an axis
    resampled alone.
    """

    order: SplineOrder
    order_z: SplineOrder = 0
    separate_z: bool | None = None
    align: Alignment = "edges"

    @model_validator(mode="after")
    def _linear_from_the_first_voxel(self) -> SplineResampling:
        if self.align == "first" and self.order > 1:
            raise ValueError("grids aligned at the first voxel are resampled by an order of 0 or 1")
        return self


class SlidingWindow(Strict):
    """Tiles as MONAI's SlidingWindowInferer places them: at equal distances from the first voxel.

    Logits are summed in single precision. weights: of a tile's voxels: all equal, or MONAI's
    Gaussian, whose standard deviation is an eighth of the tile.
    """

    weights: Literal["constant", "gaussian"] = "constant"


class LargestComponent(Strict):
    """Post-processing: of all voxels with these labels, only the largest component stays."""

    labels: tuple[Label, ...] = Field(min_length=1)


class OrganLabels(Strict):
    """An organ of the catalogue and the labels that make it, together.

    side: only the part on this side, for a label that holds both organs of a pair.
    """

    organ: str
    labels: tuple[Label, ...] = Field(min_length=1)
    side: Literal["left", "right"] | None = None


class CropRule(Strict):
    """The part of a CT in which the network runs when the localizer does not know all its organs.

    organs: localized organs whose box, grown by margin_mm, is searched; empty: the whole CT.
    """

    organs: tuple[str, ...] = ()
    margin_mm: float = Field(default=30.0, ge=0)


class NetworkSource(Strict):
    """Where a network came from.

    form: the kind of folder. origin: data set, trainer, plans and configuration. files: SHA-256 of
    each file that was read, by its path within the folder. folder: where that was at the import.
    licence: its name, or "unknown". commercial: whether the licence allows commercial use.
    """

    form: str
    origin: str
    files: dict[str, Sha256]
    folder: str = ""
    licence: str = "unknown"
    commercial: Commercial = "unknown"


class OrientationEvidence(Strict):
    """How a network's organs agree with OARflow's own on one CT, read in all eight flips.

    ct: the CT, without patient data. dice: by orientation and organ; the stated orientation first.
    agreeing: the orientations that agree.
    """

    ct: str
    dice: dict[str, dict[str, float]]
    agreeing: tuple[str, ...]


class Verification(Strict):
    """A comparison of this network's contours with others on one CT.

    against: another program with its version, or another precision. data: the CT. figures: by
    organ and name, such as dice and mean_surface_distance_mm.
    """

    against: str
    data: str
    figures: dict[str, dict[str, float]]


class ImportedCard(Strict):
    """model.json of an imported network.

    architecture, parameters: of one fold. folds: names of the folds, whose logits are averaged.
    orientation: directions in which the training images' index grew along x, y and z, such as RAS:
        to the right, front and head. orientation_proof: whether OARflow's own organs confirmed it;
        "sides undecided": confirmed, and left and right are the same to the network.
        orientation_evidence: what the proof rests on.
    transpose: the network's axes among the image's (z, y, x). The following fields are in the
        network's axes.
    spacing_mm: of the network's voxels; 0 along the first axis of a 2-D network: the CT's own.
    resampled: the values that are resampled to the network's voxels: the normalized image; HU,
        which are normalized afterwards; or HU that are then cut to whole numbers and normalized.
    patch: voxels of a tile; 1 along the first axis of a 2-D network. step: distance of tiles as a
        share of the patch. mirror_axes: along which exact inference mirrors the tiles.
    sliding_window: how MONAI places and weights tiles; None: as nnU-Net does.
    activation: applied to the logits before they return to the CT's grid.
    heads: number of output channels. regions: the label that each channel paints, in order, where
        channels are regions and not labels.
    labels: the folder's names of the labels. contours: the organs and their labels.
    mode: fast: contours in the searched part, without mirroring; exact: the labels of nnU-Net or
        MONAI in the whole CT.
    bfloat16: whether fast inference in bfloat16 was measured to give equal contours.
        bfloat16_evidence: that measurement.
    """

    schema_version: Literal[2] = 2
    name: str
    version: str
    sha256: Sha256
    architecture: str
    parameters: int = Field(ge=0)
    folds: tuple[str, ...] = Field(min_length=1)
    dimensions: Literal[2, 3]
    orientation: str
    orientation_proof: OrientationProof = "unproven"
    orientation_evidence: OrientationEvidence | None = None
    transpose: tuple[Axis, Axis, Axis]
    normalization: IntensityNormalization
    spacing_mm: tuple[Annotated[float, Field(ge=0)], Positive, Positive]
    image_resampling: SplineResampling
    logits_resampling: SplineResampling
    resampled: ResampledValues = "normalized"
    patch: tuple[Edge, Edge, Edge]
    step: float = Field(default=0.5, gt=0, le=1)
    mirror_axes: tuple[Axis, ...] = ()
    sliding_window: SlidingWindow | None = None
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    heads: int = Field(ge=1, le=256)
    regions: tuple[Label, ...] | None = None
    labels: dict[Label, str]
    contours: tuple[OrganLabels, ...] = Field(min_length=1)
    postprocessing: tuple[LargestComponent, ...] = ()
    crop: CropRule = CropRule()
    mode: InferenceMode = "fast"
    bfloat16: bool = False
    bfloat16_evidence: Verification | None = None
    source: NetworkSource
    verification: tuple[Verification, ...] = ()
    note: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> ImportedCard:
        check_orientation(self.orientation)
        if sorted(self.transpose) != [0, 1, 2]:
            raise ValueError("transpose names each axis once")
        if (self.dimensions == 2) != (self.spacing_mm[0] == 0):
            raise ValueError("a 2-D network, and no other, has a spacing of 0 along its first axis")
        if self.dimensions == 2 and self.patch[0] != 1:
            raise ValueError("a 2-D network reads one slice")
        if self.patch[0] * self.patch[1] * self.patch[2] > MOST_PATCH_VOXELS:
            raise ValueError("the patch is too large")
        if self.dimensions == 2 and 0 in self.mirror_axes:
            raise ValueError("a 2-D network does not mirror across its slices")
        if self.image_resampling.align != self.logits_resampling.align:
            raise ValueError("image and logits are resampled between the same grids")
        if self.resampled != "normalized" and self.normalization.scheme in ("zscore", "range"):
            raise ValueError("a scheme that measures the whole image normalizes before resampling")
        if self.sliding_window is not None and self.step < LEAST_WINDOW_STEP:
            raise ValueError("the tiles of a sliding window overlap too much")
        if self.regions is not None and len(self.regions) != self.heads:
            raise ValueError("each channel of a network of regions paints one label")
        if len(set(self.organs)) != len(self.organs):
            raise ValueError("an organ is named twice")
        known = set(self.regions or range(1, self.heads))
        used = {label for contour in self.contours for label in contour.labels}
        if not used | {v for rule in self.postprocessing for v in rule.labels} <= known:
            raise ValueError("a label that the network does not give is used")
        return self

    @property
    def organs(self) -> tuple[str, ...]:
        """The organs that it contours."""
        return tuple(contour.organ for contour in self.contours)

    def contour(self, organ: str) -> OrganLabels:
        """The labels of one of its organs. Raises KeyError for any other."""
        return {contour.organ: contour for contour in self.contours}[organ]

    def source_organ(self, organ: str) -> str | None:
        """The organ whose contour defines the network's region: none."""
        return None

    @property
    def program(self) -> str:
        """The program whose labels exact inference gives."""
        return "nnU-Net" if self.sliding_window is None else "MONAI"

    @property
    def role(self) -> Role:
        return Role.SEGMENTER

    @property
    def reads_mr(self) -> bool:
        return False

    @property
    def needs_mr(self) -> bool:
        return False

    @property
    def validation(self) -> Validation | None:
        """Accuracy on this project's patients: not measured."""
        return None

    @property
    def derived_labels(self) -> bool:
        return False

    @property
    def digest(self) -> str:
        """sha256 (hex) over all that changes contours."""
        return card_digest(self)

    @property
    def origin(self) -> NetworkOrigin:
        """Where the network comes from."""
        from oarflow.structures import NetworkOrigin

        return NetworkOrigin(self.source.origin, self.source.licence, self.source.commercial)

    @property
    def identity(self) -> ModelIdentity:
        """The network's identity for files and result.json."""
        from oarflow.structures import ModelIdentity

        return ModelIdentity(
            self.name,
            self.version,
            self.sha256,
            card_sha256=self.digest,
            source=self.origin,
            imported=True,
        )
