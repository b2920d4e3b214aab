"""Image files as ITK reads them, with what ITK passes over: the reason, and a file cut short.

ITK reads a NIfTI file that ends early as if the rest were nought, does the same with what is no
number, and takes the qform where the sform is sheared. All three are refused here.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import SimpleITK

from oarflow.datasets.grids import SAME_VOXELS, StoredGrid

LARGEST = 2**30
"""Voxels beyond this count are refused: a whole-body CT has a fifth."""

_MM = {"1": 1000.0, "2": 1.0, "3": 0.001}
"""Millimetres of NIfTI's units of length, by their code."""

_FLOATS = {"16": "f4", "64": "f8"}
"""NIfTI's codes of floating numbers: its library reads what is none as 0."""

BLOCK = 2**22
"""Bytes that are unpacked at a time."""

_itk: Any = SimpleITK  # its functions are untyped


def open_image(path: Path) -> Any:
    """A reader of a file's voxels, its header checked.

    Raises FileNotFoundError, or ValueError where the file is no image of three dimensions and one
    channel, ends early, or its axes are sheared, contradictory or unknown.
    """
    reader = _itk.ImageFileReader()
    reader.SetFileName(str(path))
    _said(reader.ReadImageInformation, path)
    size = reader.GetSize()
    if len(size) != 3 or min(size) < 1:
        raise ValueError(f"{path.name}: {len(size)} dimensions; three are needed")
    if int(np.prod(size, dtype=np.float64)) > LARGEST:
        raise ValueError(f"{path.name}: more than {LARGEST} voxels")
    if (channels := reader.GetNumberOfComponents()) != 1:
        raise ValueError(f"{path.name}: {channels} channels; one is needed")
    stored = stored_grid(reader)
    if not np.isfinite([*stored.spacing_mm, *stored.origin_lps, *stored.directions.ravel()]).all():
        raise ValueError(f"{path.name}: its spacing, origin or axes are no numbers")
    if stored.sheared:
        raise ValueError(_sheared(path))
    told = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    if "sform_code" in told:
        _check_nifti(path, told, stored)
    elif told.get("ITK_InputFilterName") == "NrrdImageIO" and "NRRD_space" not in told:
        raise ValueError(f"{path.name}: it names no space: left and right cannot be told")
    return reader


def read_turned(path: Path) -> Any:
    """The image with its axes turned to L, P, S as far as they allow. Raises as `open_image`."""
    reader = open_image(path)
    _check_voxels(path, reader)
    return _said(lambda: _itk.DICOMOrient(reader.Execute(), "LPS"), path)


def stored_grid(image: Any) -> StoredGrid:
    """The grid of an ITK image, or of a reader of one."""
    columns, rows, slices = image.GetSize()
    x_mm, y_mm, z_mm = image.GetSpacing()
    x, y, z = image.GetOrigin()
    axes = np.asarray(image.GetDirection(), dtype=np.float64).reshape(3, 3)
    return StoredGrid((columns, rows, slices), (x_mm, y_mm, z_mm), (x, y, z), axes)


def _said(function: Callable[[], Any], path: Path) -> Any:
    try:
        return function()
    except RuntimeError as error:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path.name}") from None
        if not path.stat().st_size:
            raise ValueError(f"{path.name}: damaged, or no image: the file is empty") from None
        if "orthonormal" in str(error):
            raise ValueError(
                f"{path.name}: its axes are undefined, sheared (not at right angles) or contradict "
                "its voxels' size"
            ) from None
        raise ValueError(f"{path.name}: damaged, or no image: {_reason(error, path)}") from None


def _reason(error: RuntimeError, path: Path) -> str:
    """ITK's reason without its own source lines, addresses and folders."""
    words = re.split(r"itk::ERROR: |ITK ERROR: ", str(error))[-1]
    words = words.rsplit("sitk::ERROR: ", maxsplit=1)[-1]
    if words.startswith("Unable to determine ImageIO reader"):
        return "its first bytes are of no kind of image that its name may mean"
    if "MetaImageIO" in words and "cannot be read" in words:
        return "its voxels end early, or the file that holds them is missing"
    words = re.sub(r"\w+\(0x[0-9a-f]+\): ", "", words).replace(f"{path.parent}/", "")
    last = words.strip().splitlines()[-1] if words.strip() else "ITK gives no reason"
    return re.sub(r"^\[nrrd\] \w+: ", "", last)


def _sheared(path: Path) -> str:
    return (
        f"{path.name}: its axes are sheared (not at right angles); resample it to a straight grid"
    )


def _check_nifti(path: Path, told: dict[str, str], stored: StoredGrid) -> None:
    """Refuse contradictions that ITK reads without a message. told: the header's fields by name."""
    if told["sform_code"] == "0" == told["qform_code"]:
        raise ValueError(
            f"{path.name}: it does not say where its axes point (qform_code and sform_code are 0): "
            "left and right cannot be told"
        )
    if told["sform_code"] != "0":
        scale = _MM.get(str(int(told["xyzt_units"]) & 7), 1.0)
        rows = np.array([[float(v) for v in told[f"srow_{axis}"].split()] for axis in "xyz"])
        _check_sform(path, rows * scale * np.array([[-1], [-1], [1]]), stored)


def _check_voxels(path: Path, reader: Any) -> None:
    """Raises ValueError where a NIfTI file ends before its last voxel, or holds no numbers."""
    if not reader.HasMetaDataKey("vox_offset"):
        return
    told = {key: reader.GetMetaData(key) for key in ("vox_offset", "bitpix", "datatype", "dim[0]")}
    sides = range(1, int(told["dim[0]"]) + 1)
    voxels = math.prod(int(reader.GetMetaData(f"dim[{k}]")) for k in sides)
    offset = int(float(told["vox_offset"]))
    needed = offset + voxels * int(told["bitpix"]) // 8
    held = 0
    for block in _blocks(path, offset):
        if held and (kind := _FLOATS.get(told["datatype"])):
            numbers = np.frombuffer(block[: len(block) // 8 * 8], _order(path) + kind)
            if not np.isfinite(numbers).all():
                raise ValueError(f"{path.name}: holds values that are no numbers")
        held += len(block)
    if held < needed:
        raise ValueError(f"{path.name}: damaged: it ends after {held} of {needed} bytes")


def _order(path: Path) -> str:
    """Which end of a number comes first, by the header's own length."""
    with _unpacked(path) as file:
        return ">" if int.from_bytes(file.read(4), "big") in (348, 540) else "<"


def _check_sform(path: Path, affine_lps: Any, stored: StoredGrid) -> None:
    """affine_lps: (3, 4) mm, of the file's axes."""
    steps, origin = affine_lps[:, :3], affine_lps[:, 3]
    lengths = np.linalg.norm(steps, axis=0)
    if not np.isfinite(affine_lps).all() or not lengths.min() > 0:
        raise ValueError(f"{path.name}: its sform is no grid")
    x_mm, y_mm, z_mm = map(float, lengths)
    x, y, z = map(float, origin)
    own = StoredGrid(stored.size, (x_mm, y_mm, z_mm), (x, y, z), steps / lengths)
    if own.sheared:
        raise ValueError(_sheared(path))
    away = np.linalg.norm(own.corners - stored.corners, axis=1).max()
    if away > SAME_VOXELS * min(stored.spacing_mm):
        raise ValueError(f"{path.name}: its sform and qform place it {away:.1f} mm apart")


def _blocks(path: Path, first: int) -> Iterator[bytes]:
    """A file's bytes, unpacked: the first ones, then the rest in blocks of whole numbers.

    Raises ValueError where they cannot be unpacked.
    """
    try:
        with _unpacked(path) as file:
            yield file.read(first)
            while block := file.read(BLOCK):
                yield block
    except (EOFError, zlib.error, OSError) as error:
        raise ValueError(f"{path.name}: damaged: {error}") from None


def _unpacked(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")
