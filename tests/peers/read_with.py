"""Read an RTSTRUCT with another library: `read_with.py LIBRARY CT_FOLDER RTSTRUCT OUTPUT.npz`.

Runs in that library's own environment. Writes a bool (z, y, x) mask for each region, z ascending
in the patient, rows and columns as the images have them.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np


def rt_utils(ct: Path, rtstruct: Path) -> dict:
    from rt_utils import RTStructBuilder

    found = RTStructBuilder.create_from(str(ct), str(rtstruct))
    return {
        name: found.get_roi_mask_by_name(name).transpose(2, 0, 1) for name in found.get_roi_names()
    }


def dcmrtstruct2nii(ct: Path, rtstruct: Path) -> dict:
    import SimpleITK
    from dcmrtstruct2nii import dcmrtstruct2nii as convert

    with tempfile.TemporaryDirectory() as folder:
        convert(str(rtstruct), str(ct), folder, gzip=True, convert_original_dicom=False)
        return {
            path.name.removeprefix("mask_").removesuffix(".nii.gz"): SimpleITK.GetArrayFromImage(
                SimpleITK.ReadImage(str(path))
            )
            > 0
            for path in Path(folder).glob("mask_*.nii.gz")
        }


def dicomrttool(ct: Path, rtstruct: Path) -> dict:
    from DicomRTTool.ReaderWriter import DicomReaderWriter

    with tempfile.TemporaryDirectory() as folder:
        for path in [*ct.iterdir(), rtstruct]:
            shutil.copy(path, folder)
        reader = DicomReaderWriter(description="peer", arg_max=False)
        reader.walk_through_folders(folder)
        names = reader.return_rois(print_rois=False)
        reader.set_contour_names_and_associations(contour_names=names)
        reader.set_index(reader.indexes_with_contours[0])
        reader.get_images_and_mask()
        return {name: reader.mask[..., k + 1] > 0 for k, name in enumerate(names)}


READERS = {
    "rt-utils": rt_utils,
    "dcmrtstruct2nii": dcmrtstruct2nii,
    "dicomrttool": dicomrttool,
}

if __name__ == "__main__":
    library, ct, rtstruct, output = sys.argv[1:]
    masks = READERS[library](Path(ct), Path(rtstruct))
    np.savez_compressed(output, **masks)
