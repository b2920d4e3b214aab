"""Pixels of one slice: stored values by pinned decoders, then HU by the slice's own rescale."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from oarflow.intake.codestream import claimed_size
from oarflow.intake.files import DamagedError, parse_whole
from oarflow.intake.headers import InstanceHeader
from oarflow.intake.limits import AIR_HU, PADDING_ABOVE_HU, PADDING_BELOW_HU

_NATIVE = ""
DECODERS: dict[UID, str] = {
    ImplicitVRLittleEndian: _NATIVE,
    ExplicitVRLittleEndian: _NATIVE,
    ExplicitVRBigEndian: _NATIVE,
    DeflatedExplicitVRLittleEndian: _NATIVE,
    JPEGBaseline8Bit: "pylibjpeg",
    JPEGExtended12Bit: "pylibjpeg",
    JPEGLossless: "pylibjpeg",
    JPEGLosslessSV1: "pylibjpeg",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
    RLELossless: "pydicom",
}
"""The one decoder for each supported transfer syntax, so that no other that happens to be installed
is taken."""


class UndecodableError(Exception):
    """A slice's pixels cannot be had."""


def supported(transfer_syntax_uid: str) -> bool:
    """Whether slices of a transfer syntax can be decoded; an unnamed syntax is guessed, native."""
    return not transfer_syntax_uid or UID(transfer_syntax_uid) in DECODERS


def stored_values(path: Path, header: InstanceHeader) -> NDArray[np.integer]:
    """Stored values (rows, columns) of a slice, all bits of them, signed as its header says.

    Raises UndecodableError.
    """
    try:
        dataset = parse_whole(path)
        syntax = _syntax(dataset, header)
        decoder = get_decoder(syntax)
        pixels, _ = decoder.as_array(
            _bare(dataset, syntax, header), index=0, raw=True, decoding_plugin=DECODERS[syntax]
        )
    except Exception as error:  # decoders raise many kinds on damaged input
        raise UndecodableError(type(error).__name__) from error
    if pixels.shape != (header.rows, header.columns) or pixels.dtype.kind not in "iu":
        raise UndecodableError("not the image that the header promises")
    return cast("NDArray[np.integer]", pixels)


def _syntax(dataset: Dataset, header: InstanceHeader) -> UID:
    if header.transfer_syntax_uid:
        return UID(header.transfer_syntax_uid)
    implicit, little = dataset.original_encoding
    if not little:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def _bare(dataset: Dataset, syntax: UID, header: InstanceHeader) -> Dataset:
    """Only what a decoder needs, from the header that was judged."""
    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = syntax
    bare.set_original_encoding(*dataset.original_encoding)
    stored = header.bits_stored
    if not syntax.is_encapsulated or syntax == RLELossless:
        stored = header.bits_allocated  # some scanners use more bits than they say: mask none
    for name, value in (
        ("Rows", header.rows),
        ("Columns", header.columns),
        ("SamplesPerPixel", 1),
        ("BitsAllocated", header.bits_allocated),
        ("BitsStored", stored),
        ("HighBit", (stored or 16) - 1),
        ("PixelRepresentation", int(header.signed)),
        ("PhotometricInterpretation", "MONOCHROME2"),
    ):
        setattr(bare, name, value)
    pixels = dataset["PixelData"]
    bare.add_new(pixels.tag, "OB" if syntax.is_encapsulated else "OW", pixels.value)
    bare["PixelData"].is_undefined_length = syntax.is_encapsulated
    if syntax.is_encapsulated:
        stream = get_frame(pixels.value, 0, number_of_frames=1)
        if claimed_size(stream) not in (None, (header.rows, header.columns)):
            raise DamagedError("the compressed image has another size than the header says")
    else:
        expected = (header.rows or 0) * (header.columns or 0) * (header.bits_allocated or 16) // 8
        if len(pixels.value) not in (expected, expected + expected % 2):
            raise DamagedError("the pixel data have another length than the matrix")
    return bare


def hounsfield(stored: NDArray[np.integer], header: InstanceHeader) -> NDArray[np.float32]:
    """HU (rows, columns) of stored values, padding and anything below air set to -1024."""
    slope, intercept = header.slope or 1.0, header.intercept or 0.0
    hu = stored.astype(np.float32)
    hu *= np.float32(slope)
    hu += np.float32(intercept)
    if header.padding and _is_padding(header.padding, slope, intercept):
        low, high = header.padding
        hu[(stored >= low) & (stored <= high)] = AIR_HU
    return np.maximum(hu, np.float32(AIR_HU), out=hu)


def _is_padding(padding: tuple[int, int], slope: float, intercept: float) -> bool:
    """Whether padding values lie outside what tissue can have."""
    low, high = (value * slope + intercept for value in padding)
    return high <= PADDING_BELOW_HU or low >= PADDING_ABOVE_HU
