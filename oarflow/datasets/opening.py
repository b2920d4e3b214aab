"""A folder of patients to cases, whatever its layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from oarflow.datasets.cases import Case
from oarflow.organs import Catalogue

SHOWN = 5
"""So many folders that are no patient are named where there is no patient."""


def open_data_set(folder: Path, catalogue: Catalogue | None = None) -> Mapping[str, Case]:
    """The patients of a folder by id: OpenKBP's npz or published CSV, experts' contours
    on it, HaN-Seg, PDDCA, a file per
    organ, nnU-Net's layout, or a clinic's DICOM.

    A case is read on access. catalogue: None for the program's own. Raises FileNotFoundError for a
    missing folder or an unknown layout, ValueError for an nnU-Net data set that cannot be used.
    """
    # The adapters are imported where they are needed: pydicom and SimpleITK load slowly.
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    from oarflow.datasets.experts import Experts, is_experts

    if is_experts(folder):
        return Experts(folder, catalogue)
    if any(folder.glob("pt_*.npz")):
        from oarflow.datasets.openkbp import OpenKbp

        return OpenKbp(folder)
    if any(folder.glob("pt_*/ct.csv")) or (folder / "ct.csv").is_file():
        from oarflow.datasets.openkbp import OpenKbpCsv

        return OpenKbpCsv(folder)
    from oarflow.datasets.image_files import LAYOUTS, ImageFileSet
    from oarflow.datasets.nnunet import NnUnet, is_nnunet

    if is_nnunet(folder):
        return NnUnet(folder, catalogue)
    passed_over: Mapping[str, str] = {}
    for layout in LAYOUTS.values():
        found = layout(folder)
        if found.patients:
            return ImageFileSet(found.patients, catalogue, found.left_out)
        passed_over = passed_over or found.left_out
    from oarflow.datasets.clinic import ClinicSet, patient_folders

    if patient_folders(folder):
        return ClinicSet(folder, catalogue)
    reasons = "".join(f"; {name}: {why}" for name, why in list(passed_over.items())[:SHOWN])
    raise FileNotFoundError(
        f"{folder}: no patients in a known layout (pt_N.npz, pt_N/ct.csv, HaN-Seg, PDDCA, "
        f"a folder per patient with a CT and a file per organ, nnU-Net, DICOM){reasons}"
    )
