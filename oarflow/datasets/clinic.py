"""A clinic's own patients: one folder each, a CT series, its RTSTRUCT, perhaps an MR.

ROI names are mapped by the catalogue's aliases; names that mean no organ are reported with the
case. Nothing is guessed: a folder with two structure sets on its CT is refused. Of several MR
series the application's own rule takes one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydicom.uid import MRImageStorage, RTDoseStorage, RTStructureSetStorage

from oarflow.datasets.cases import Case, LazyMasks
from oarflow.datasets.images import is_axial, is_even
from oarflow.datasets.naming import unknown_names
from oarflow.datasets.planes import CLOSED, Planes, in_words
from oarflow.geometry import Grid
from oarflow.intake import Intake, Prefer, SeriesRule
from oarflow.intake import mr as intake_mr
from oarflow.intake.scan import FileClass, Scan, scan
from oarflow.organs import Catalogue, load_catalogue
from oarflow.rtstruct.drawn import read_drawn_volume
from oarflow.rtstruct.frames import OTHER_FRAME, on_frame
from oarflow.rtstruct.model import Roi, StructureSet
from oarflow.rtstruct.reader import read_structure_set
from oarflow.types import Mask
from oarflow.volume import Image, Volume

MR_RULE = SeriesRule(modality="MR", min_slices=10, prefer=Prefer.MOST_SLICES)
"""The application's own, as `app.yaml` has it: a network learns from what it will be given."""


@dataclass(frozen=True)
class PatientFolder:
    """What a folder holds besides its CT, by SOP class. mr: whether there is any."""

    structure_sets: tuple[Path, ...]
    doses: tuple[Path, ...]
    mr: bool


class ClinicSet(Mapping[str, Case]):
    """Patients of a folder, by the names of their folders; or of one patient's folder.

    A case is read on access; its masks and MR on access to them. Access raises Refusal for a CT
    that cannot be used, ReadError for a damaged RTSTRUCT, and ValueError for uneven or oblique
    slices, for no or several RTSTRUCTs, and for an RTSTRUCT without a known organ.
    left_out: folders that are no patient, with the reason.
    """

    def __init__(self, folder: Path, catalogue: Catalogue | None = None) -> None:
        self._folders = patient_folders(folder)
        if not self._folders:
            raise FileNotFoundError(f"no folder with DICOM files in {folder.name}")
        self._catalogue = catalogue or load_catalogue()
        others = (place for place in sorted(folder.iterdir()) if place.is_dir())
        within = folder not in self._folders.values()
        self.left_out = {
            place.name: "it holds no DICOM file"
            for place in others
            if within and place.name not in self._folders
        }

    def __getitem__(self, case_id: str) -> Case:
        return read_case(self._folders[case_id], case_id, self._catalogue)

    def __iter__(self) -> Iterator[str]:
        return iter(self._folders)

    def __len__(self) -> int:
        return len(self._folders)

    def __contains__(self, case_id: object) -> bool:
        return case_id in self._folders


def patient_folders(folder: Path) -> dict[str, Path]:
    """Folders of patients by name: those in a folder that hold DICOM, or the folder itself."""
    if any(_is_dicom(path) for path in sorted(folder.iterdir())):
        return {folder.name: folder}
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    return {path.name: path for path in inside if any(map(_is_dicom, _files(path)))}


def read_case(folder: Path, case_id: str, catalogue: Catalogue) -> Case:
    """One patient's folder as a case. Raises as `ClinicSet` says."""
    files = scan(folder)
    held = contents(files)
    intake = read_drawn_volume(files, map(read_structure_set, held.structure_sets))
    volume = intake.volume
    if not (is_axial(volume.grid) and is_even(volume.grid)):
        raise ValueError(f"{case_id}: the CT's slices are oblique or unevenly spaced")
    structures, elsewhere = on_frame(
        structures_on(volume, held.structure_sets), volume.source.frame_of_reference_uid
    )
    if elsewhere and not any(roi.contours for roi in structures.rois):
        raise ValueError(
            f"{case_id}: all {len(elsewhere)} regions of the RTSTRUCT are on another frame of "
            "reference than the CT"
        )
    rois, unmapped = by_organ(structures, catalogue)
    if not rois:
        raise ValueError(
            unknown_names(unmapped) if unmapped else "the RTSTRUCT holds no closed contour"
        )
    planes = Planes.of(rois.values(), volume.grid)
    said = {name: in_words(planes.remarks(roi, volume.grid)) for name, roi in rois.items()}
    said |= with_remark(said, elsewhere, OTHER_FRAME)
    x, y, z = (float(mm) for mm in volume.grid.positions_lps[0])
    return Case(
        case_id,
        volume.hu,
        volume.grid.spacing_zyx,
        LazyMasks(tuple(rois), partial(_mask, planes, rois, volume.grid)),
        origin_lps=(x, y, z),
        unmapped=unmapped,
        read_mr=partial(read_mr, intake) if held.mr else None,
        remarks={name: words for name, words in said.items() if words},
    )


def contents(found: Scan) -> PatientFolder:
    """The structure sets, doses and MR among a folder's files."""
    by_class: dict[str, list[Path]] = defaultdict(list)
    for record in found.of(FileClass.OTHER_OBJECT):
        if record.header is not None:
            by_class[record.header.sop_class_uid].append(record.path)
    return PatientFolder(
        tuple(by_class[RTStructureSetStorage]),
        tuple(by_class[RTDoseStorage]),
        bool(by_class[MRImageStorage]),
    )


def structures_on(volume: Volume, paths: tuple[Path, ...]) -> StructureSet:
    """The one structure set that refers to a CT's slices, or at least to its frame of reference.

    Raises ValueError where there is none, or more than one. ReadError where one is damaged.
    """
    uids = frozenset(volume.source.sop_instance_uids)
    if not paths:
        raise ValueError("there is no RTSTRUCT beside the CT: put the patient's contours there")
    found = [read_structure_set(path) for path in paths]
    fitting = [one for one in found if uids & _named(one)] or [
        one
        for one in found
        if not _named(one) and on_frame(one, volume.source.frame_of_reference_uid)[0].rois
    ]
    if not fitting:
        raise ValueError(
            f"0 of {len(found)} RTSTRUCT refer to the CT: they name other images, or another frame "
            "of reference"
        )
    if len(fitting) > 1:
        raise ValueError(
            f"{len(fitting)} of {len(found)} RTSTRUCT refer to the CT; leave exactly one"
        )
    return fitting[0]


def by_organ(
    structures: StructureSet, catalogue: Catalogue
) -> tuple[dict[str, Roi], tuple[str, ...]]:
    """Regions with closed contours by catalogue name in its order, and the names not used.

    Of two that mean one organ, the one spelled as the catalogue does is used, else the first.
    """
    drawn = [roi for roi in structures.rois if any(c.type in CLOSED for c in roi.contours)]
    found: dict[str, Roi] = {}
    unmapped = []
    for roi in sorted(drawn, key=lambda roi: roi.name not in catalogue):
        organ = catalogue.resolve(roi.name)
        if organ is None or organ.name in found:
            unmapped.append(roi.name)
        else:
            found[organ.name] = roi
    ordered = {name: found[name] for name in catalogue.names if name in found}
    return ordered, tuple(sorted(unmapped))


def with_remark(remarks: Mapping[str, str], names: Iterable[str], remark: str) -> Mapping[str, str]:
    """Remarks by name, with one more of each of these names."""
    return {name: "; ".join(filter(None, (remarks.get(name), remark))) for name in names}


def read_mr(intake: Intake) -> Image:
    """The MR that the application would take, on its own grid.

    Raises ValueError where it would take none.
    """
    choice, _ = intake_mr.read_mr(intake, MR_RULE)
    if choice.volume is None:
        raise ValueError(choice.trouble)
    return Image(choice.volume.hu, choice.volume.grid)


def _mask(planes: Planes, rois: Mapping[str, Roi], grid: Grid, organ: str) -> Mask:
    return planes.mask(rois[organ], grid)


def _named(structures: StructureSet) -> frozenset[str]:
    """Images that the object or its contours name."""
    contours = (c.sop_instance_uid for roi in structures.rois for c in roi.contours)
    return structures.referenced_instance_uids | {uid for uid in contours if uid}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _is_dicom(path: Path) -> bool:
    """By the ending, or by the mark behind the preamble."""
    if not path.is_file() or path.name.startswith("."):
        return False
    if path.suffix.lower() in (".dcm", ".dicom", ".ima"):
        return True
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
