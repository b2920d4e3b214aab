"""A structure set as masks on its CT, for programs: open or create one, add regions, save it.

>>> from oarflow.rtstruct import RTStruct
>>> structures = RTStruct.open("rtstruct.dcm", ct="CT_FOLDER")
>>> structures.add("Parotid_L", mask, colour=(0, 170, 255), origin="SEMIAUTOMATIC")
>>> structures.save("changed.dcm")
"""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from oarflow.clock import run_time
from oarflow.errors import ConfigurationError, Fault
from oarflow.intake import Intake, SeriesRules
from oarflow.intake.scan import scan
from oarflow.rtstruct.check import OrganCheck, check_file
from oarflow.rtstruct.check.headers import raw
from oarflow.rtstruct.contours import organ_contours
from oarflow.rtstruct.drawn import read_drawn_volume
from oarflow.rtstruct.errors import ReadCode, ReadError
from oarflow.rtstruct.frames import OTHER_FRAME, on_frame
from oarflow.rtstruct.kept import NOTHING_KEPT, Kept, keep
from oarflow.rtstruct.masks import Colour, colour_of, field_of
from oarflow.rtstruct.model import Roi, StructureSet
from oarflow.rtstruct.profile import Profile, load_profile
from oarflow.rtstruct.provenance import Origin, Provenance, settings_digest
from oarflow.rtstruct.raster import RoiMask, rasterise_roi
from oarflow.rtstruct.reader import Document, open_document, structure_set
from oarflow.rtstruct.specs import RoiSpec
from oarflow.rtstruct.target import check_target, give_name
from oarflow.rtstruct.writer import check_name, write_rtstruct
from oarflow.structures import ProbabilityField

if TYPE_CHECKING:
    import SimpleITK

RULES = SeriesRules(min_slices=1, max_oblique_degrees=90.0)
"""Rules that accept any CT series, also short and oblique ones."""

LABEL = "OARflow"

PathLike = str | Path


@dataclass(frozen=True, eq=False)
class _MaskedRegion:
    """A region. roi: with its number in the opened file, 0 if added. field: of an added region."""

    roi: Roi
    field: ProbabilityField | None = None
    notes: tuple[str, ...] = ()


class RTStruct:
    """Regions of one structure set as masks on the CT that they were drawn on.

    masks: bool (z, y, x) by name, on the CT's grid: for axial series z grows to the head, y to the
    back and x to the left, in whatever order the files are. hu: the CT, float32 HU (z, y, x). grid:
    where its voxels lie in patient space (LPS, mm). notes: remarks on the opened file.
    """

    def __init__(self, intake: Intake, profile: Profile, label: str) -> None:
        profile.check_label(label)
        self.hu = intake.volume.hu
        self.grid = intake.volume.grid
        self.label = label
        self.notes: tuple[str, ...] = ()
        self._intake = intake
        self._profile = profile
        self._regions: dict[str, _MaskedRegion] = {}
        self._opened: tuple[Document, StructureSet] | None = None
        self._out_of_reach: frozenset[int] = frozenset()

    @classmethod
    def new(cls, *, ct: PathLike, label: str = LABEL, profile: str = "dicom") -> RTStruct:
        """A structure set without regions.

        ct: folder of DICOM files with one CT series. label: of the structure set, at most 16 plain
        characters. profile: the limits for names and contours: of the DICOM standard, or of a
        planning system (`oarflow.rtstruct.profile.profile_names`).

        Raises Refusal where the CT cannot be used, ConfigurationError (NO_INPUT, PROFILE_UNKNOWN,
        STRUCTURE_LABEL).
        """
        limits = load_profile(profile)
        return cls(read_drawn_volume(scan(_folder(ct)), (), RULES), limits, label)

    @classmethod
    def open(cls, path: PathLike, *, ct: PathLike, profile: str = "dicom") -> RTStruct:
        """Open an RTSTRUCT of any vendor.

        ct: folder of DICOM files; if it has several CT series, the file selects one. Regions on
        another frame of reference have no mask; `notes` names them, and `save` keeps them.

        Raises ReadError where the file is damaged or was not drawn on this CT, Refusal where the
        CT cannot be used, ConfigurationError (NO_INPUT, PROFILE_UNKNOWN).
        """
        limits = load_profile(profile)
        document = open_document(Path(path))
        structures = structure_set(document)
        intake = read_drawn_volume(scan(_folder(ct)), (structures,), RULES)
        label, notes = _label_of(structures, limits)
        opened = cls(intake, limits, label)
        opened._take(document, structures)
        opened.notes += notes
        return opened

    @property
    def masks(self) -> Mapping[str, NDArray[np.bool_]]:
        """The mask of every region by name, computed on access."""
        return _Masks(self._regions, self._mask)

    def remarks(self, name: str) -> tuple[str, ...]:
        """Remarks on one region, in words: lost parts of its contours or its mask."""
        region = self._regions[name]
        if region.field is not None:
            return region.notes
        remarks = self._filled(region.roi).remarks
        return (*region.notes, *(f"{n} contour(s): {what}" for what, n in remarks.items()))

    def add(
        self,
        name: str,
        mask: NDArray[np.generic],
        *,
        colour: Colour | None = None,
        origin: Origin | str = Origin.AUTOMATIC,
        interpreted_type: str = "ORGAN",
    ) -> None:
        """Contour a region.

        mask: (z, y, x) on the CT's grid: bool, or 0 and 1, or a probability field of floats 0 to
        1, whose surface at 0.5 is interpolated between voxels. colour: red, green, blue of 0 to
        255, or "#rrggbb". origin: AUTOMATIC, SEMIAUTOMATIC or MANUAL.
        interpreted_type: RTROIInterpretedType, such as ORGAN, PTV or EXTERNAL.

        Raises ValueError where the mask, colour, origin or type is wrong, the name is in use, or no
        contour can be made of the mask; ConfigurationError (ROI_NAMES) for a name that the profile
        or the CT's character set does not allow.
        """
        self._check_name(name)
        if interpreted_type not in self._profile.interpreted_types:
            raise ValueError(
                f"interpreted type {interpreted_type!r} is not one of "
                f"{', '.join(filter(None, self._profile.interpreted_types))}"
            )
        origin = _origin(origin)
        number = len(self._regions) + len(self._out_of_reach)
        spec = RoiSpec(name, name, colour_of(colour, number), interpreted_type=interpreted_type)
        field = field_of(mask, self.grid.shape)
        source = self._intake.volume.source
        options = self._profile.contour_options()
        contours, report = organ_contours(source, self.grid, field, spec, options)
        if not contours:
            raise ValueError(f"region {name!r} cannot be contoured: {report.refused}")
        roi = Roi(0, name, contours, colour=spec.colour, interpreted_type=interpreted_type)
        self._regions[name] = _MaskedRegion(replace(roi, algorithm=origin), field, report.notes)

    def remove(self, name: str) -> None:
        """Remove a region. To change one, remove it and add it again. Raises KeyError."""
        del self._regions[name]

    def to_sitk(self, name: str) -> SimpleITK.Image:
        """A region's mask as a SimpleITK image (uint8, 0 and 1) in patient space (LPS, mm).

        Raises KeyError, ValueError where the CT's slices are unevenly spaced, ImportError without
        the extra `sitk`.
        """
        from oarflow.sitk import sitk_image

        return sitk_image(self.masks[name], self.grid)

    def save(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Write the structure set, and check it before the file gets its name.

        The file is read back: added regions are compared with their masks by the raw headers of
        the CT's files; regions of an opened file must have kept every coordinate. The structure set
        is marked UNAPPROVED. overwrite: replace an existing file, but never one of the CT.

        Raises FileExistsError, ValueError where there is no region, ConfigurationError (ROI_NAMES)
        where a kept name does not fit the CT's character set, Fault where the check fails; then no
        file remains.
        """
        target = Path(path).resolve()
        check_target(target, self._intake.paths.values(), overwrite=overwrite)
        volume = self._intake.volume
        kept = self._kept()
        numbers = kept.free_roi_numbers()
        added = [region for region in self._regions.values() if region.field is not None]
        structures = StructureSet(
            self.label,
            tuple(
                replace(region.roi, number=number)
                for region, number in zip(added, islice(numbers, len(added)), strict=True)
            ),
            volume.source.frame_of_reference_uid,
            frozenset(volume.source.sop_instance_uids),
        )
        settings = {"profile": self._profile.name, "label": self.label}
        with tempfile.TemporaryDirectory(prefix=".oarflow-", dir=target.parent) as room:
            part = Path(room) / "rtstruct.part"
            write_rtstruct(
                part,
                structures,
                volume.source,
                volume.grid,
                provenance=Provenance(settings_digest(settings), "cpu"),
                when=run_time(),
                decimals=self._profile.decimals,
                kept=kept,
            )
            expected = {region.roi.name: region.field for region in added if region.field}
            report = check_file(
                part,
                self._intake.paths,
                expected,
                volume.grid,
                volume.source,
                hu=volume.hu,
                kept=kept.rois,
            )
            if report.failed:
                raise Fault(f"the self-check found: {_failures(report.organs)}")
            give_name(part, target, overwrite=overwrite)

    def _take(self, document: Document, structures: StructureSet) -> None:
        """Take over the regions of an opened file."""
        source = self._intake.volume.source
        within, beyond = on_frame(structures, source.frame_of_reference_uid)
        drawn = [roi for roi in within.rois if roi.contours]
        if beyond and not drawn:
            raise ReadError(ReadCode.OTHER_CT, "no region is on the CT's frame of reference")
        named = not structures.referenced_instance_uids.isdisjoint(source.sop_instance_uids)
        same_patient = raw(document.dataset, "PatientID") == raw(source.identity, "PatientID")
        if not named and not same_patient:
            raise ReadError(
                ReadCode.OTHER_CT, "it names another patient and none of the CT's images"
            )
        notes = [f"region {name!r}: {OTHER_FRAME}" for name in beyond]
        if not same_patient:
            notes.append("the file names another patient than the CT; its images are the CT's")
        self._opened = (document, structures)
        self._out_of_reach = frozenset(r.number for r in structures.rois) - frozenset(
            r.number for r in within.rois
        )
        for roi in within.rois:
            name = roi.name
            if not name or name in self._regions:
                name = f"{name} #{roi.number}".strip()
                notes.append(f"region number {roi.number} is named {name!r} here to be unique")
            self._regions[name] = _MaskedRegion(roi)
        self.notes = tuple(notes)

    def _kept(self) -> Kept:
        if self._opened is None:
            return NOTHING_KEPT
        numbers = {r.roi.number for r in self._regions.values() if r.field is None}
        document, structures = self._opened
        return keep(document, structures, numbers | self._out_of_reach, self._intake.volume.source)

    def _mask(self, name: str) -> NDArray[np.bool_]:
        region = self._regions[name]
        if region.field is None:
            return self._filled(region.roi).full(self.grid.shape)
        return region.field.full_mask(self.grid.shape)

    def _filled(self, roi: Roi) -> RoiMask:
        uids = self._intake.volume.source.sop_instance_uids
        return rasterise_roi(roi, self.grid, sop_instance_uids=uids, off_slice="nearest")

    def _check_name(self, name: str) -> None:
        self._profile.check_name(name)
        check_name(name, self._intake.volume.source)
        taken = {_folded(region.roi.name) for region in self._regions.values()}
        if self._opened is not None:
            rois = self._opened[1].rois
            taken |= {_folded(roi.name) for roi in rois if roi.number in self._out_of_reach}
        if _folded(name) in taken:
            raise ValueError(f"a region {name!r} exists (letter case aside): remove it first")


class _Masks(Mapping[str, NDArray[np.bool_]]):
    def __init__(
        self, regions: Mapping[str, _MaskedRegion], fill: Callable[[str], NDArray[np.bool_]]
    ) -> None:
        self._regions = regions
        self._fill = fill

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        return self._fill(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._regions)

    def __len__(self) -> int:
        return len(self._regions)


def _folder(ct: PathLike) -> Path:
    folder = Path(ct).resolve()
    if not folder.is_dir():
        raise ConfigurationError("NO_INPUT", f"CT {folder} is not a folder")
    return folder


def _label_of(structures: StructureSet, profile: Profile) -> tuple[str, tuple[str, ...]]:
    """The label of an opened file, or the default with a note if it cannot be written again."""
    try:
        profile.check_label(structures.label)
    except ConfigurationError:
        return LABEL, (f"the structure set's label cannot be written again: {LABEL} replaces it",)
    return structures.label, ()


def _origin(given: Origin | str) -> Origin:
    try:
        return Origin(given)
    except ValueError:
        raise ValueError(f"origin {given!r} is not one of {', '.join(Origin)}") from None


def _folded(name: str) -> str:
    """A name for comparisons: without letter case, accents in one form."""
    return unicodedata.normalize("NFC", name).casefold()


def _failures(organs: Iterable[OrganCheck]) -> str:
    return "; ".join(f"{o.name}: {', '.join(o.failures)}" for o in organs if o.failures)
