"""A case's reference contours as an RTSTRUCT on its CT series."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pydicom import dcmwrite

from oarflow.datasets.cases import Case
from oarflow.intake import read_volume
from oarflow.organs import load_catalogue
from oarflow.rtstruct.catalogue import catalogue_specs
from oarflow.rtstruct.contours import structure_set
from oarflow.rtstruct.provenance import Provenance
from oarflow.rtstruct.writer import rtstruct_dataset
from oarflow.structures import ProbabilityField, Segmentation, Status
from oarflow.types import Mask

CLOCK = datetime(2000, 1, 1, 12)
"""Time of every reference structure set: the same case gives the same file."""

DESCRIPTION = "Reference contour of the data set, resampled to this CT"


def write_references(case: Case, ct_folder: Path, path: Path) -> tuple[str, ...]:
    """Write the case's masks as an RTSTRUCT that refers to the series in `ct_folder`.

    ct_folder: what `as_dicom.write_ct` wrote of the same case. Returns the organs written, in
    catalogue order; empty masks are left out, and islands are all kept.

    Raises ValueError where the series is not the case's or nothing is drawn, Refusal where it
    cannot be read.
    """
    volume = read_volume(ct_folder).volume
    if volume.hu.shape != case.ct.shape:
        raise ValueError(f"case {case.id} has voxels {case.ct.shape}, the CT {volume.hu.shape}")
    specs = {
        organ: replace(spec, minimum_island_cc=0.0)
        for organ, spec in catalogue_specs(load_catalogue()).items()
        if organ in case.masks
    }
    drawn = [s for organ in specs if (s := _segmentation(organ, case.masks[organ])) is not None]
    if not drawn:
        raise ValueError(f"case {case.id} has no contour")
    structures, _ = structure_set(volume.source, volume.grid, drawn, specs, label="Reference")
    rois = tuple(replace(r, algorithm="", description=DESCRIPTION) for r in structures.rois)
    dataset = rtstruct_dataset(
        replace(structures, rois=rois),
        volume.source,
        volume.grid,
        provenance=Provenance(settings_sha256="", device="none"),
        when=CLOCK,
    )
    dataset.SeriesDescription = "Reference contours"
    dataset.StructureSetDescription = "Reference contours of a public data set"
    dataset.ContributingEquipmentSequence[
        0
    ].ContributionDescription = (
        "Reference masks of a public data set, contoured and written as RTSTRUCT"
    )
    dcmwrite(path, dataset, enforce_file_format=True, implicit_vr=True, little_endian=True)
    return tuple(roi.organ or roi.name for roi in rois)


def _segmentation(organ: str, mask: Mask) -> Segmentation | None:
    """A mask as a segmentation, cropped to where it is."""
    if not mask.any():
        return None
    return Segmentation(organ, Status.SEGMENTED, ProbabilityField.of_mask(mask))
