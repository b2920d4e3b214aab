"""Pixels of one slice: stored values by pinned decoders, then HU by the slice's own rescale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
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

from oarflow.intake.bits import AmbiguousError, ValueBits
from oarflow.intake.codestream import claimed_size
from oarflow.intake.encapsulated import single_frame
from oarflow.intake.files import DamagedError, parse_whole
from oarflow.intake.headers import InstanceHeader
from oarflow.intake.limits import AIR_HU, PADDING_ABOVE_HU, PADDING_BELOW_HU
from oarflow.intake.overlays import overlay_bits

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
"""The decoder for each supported transfer syntax. Other installed decoders are never used."""


class UndecodableError(Exception):
    """A slice's pixels cannot be decoded; the text says why, without patient data."""


class AmbiguousPixelsError(UndecodableError):
    """A slice's pixels can be read in two ways."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """The image of a slice, and facts about ignored data.

    stored: stored values (rows, columns), signed as in the header. unused_bits: whether bits that
    belong to no value are set. excess: number of ignored bytes after the image.
    """

    stored: NDArray[np.integer]
    unused_bits: bool = False
    excess: int = 0


def supported(transfer_syntax_uid: str) -> bool:
    """Whether a transfer syntax can be decoded; an empty one is assumed to be uncompressed."""
    return not transfer_syntax_uid or UID(transfer_syntax_uid) in DECODERS


def read_pixels(path: Path, header: InstanceHeader) -> Pixels:
    """The pixels of a slice. Raises UndecodableError, AmbiguousPixelsError."""
    try:
        whole = parse_whole(path)
        syntax = _syntax(whole.dataset, header)
        image, excess = _image(whole.dataset, syntax, header)
        decoder = get_decoder(syntax)
        words, _ = decoder.as_array(
            _decodable(whole.dataset, image, syntax, header),
            index=0,
            raw=True,
            decoding_plugin=DECODERS[syntax],
        )
        if words.shape != (header.rows, header.columns) or words.dtype.kind not in "iu":
            raise DamagedError("the image has another size than the header states")
        bits = replace(value_bits(header), overlays=overlay_bits(whole.dataset))
        stored, unused = bits.read(cast("NDArray[np.integer]", words), header.slope or 1.0)
    except AmbiguousError as error:
        raise AmbiguousPixelsError(str(error)) from error
    except DamagedError as error:
        raise UndecodableError(str(error)) from error
    except Exception as error:  # decoders raise many kinds on damaged input
        raise UndecodableError("the image is damaged") from error
    return Pixels(stored, unused, excess + whole.excess)


def value_bits(header: InstanceHeader) -> ValueBits:
    """The bits of a slice's values; the lowest ones if High Bit is missing."""
    allocated = header.bits_allocated or 16
    stored = header.bits_stored or allocated
    high = stored - 1 if header.high_bit is None else header.high_bit
    return ValueBits(allocated, stored, high, header.signed)


def _syntax(dataset: Dataset, header: InstanceHeader) -> UID:
    if header.transfer_syntax_uid:
        return UID(header.transfer_syntax_uid)
    implicit, little = dataset.original_encoding
    if not little:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def _image(dataset: Dataset, syntax: UID, header: InstanceHeader) -> tuple[bytes, int]:
    """The bytes of the image, and the number of excess bytes after it."""
    pixels = dataset["PixelData"]
    if syntax.is_encapsulated:
        stream, excess = single_frame(pixels.value)
        if claimed_size(stream) not in (None, (header.rows, header.columns)):
            raise DamagedError("the compressed image has another size than the header states")
        return stream, excess
    if pixels.is_undefined_length:
        raise DamagedError("uncompressed pixel data are divided into items")
    expected = (header.rows or 0) * (header.columns or 0) * (header.bits_allocated or 16) // 8
    excess = len(pixels.value) - expected
    if excess < 0:
        raise DamagedError("the pixel data are shorter than the matrix")
    if excess >= expected and len(set(pixels.value[expected:])) > 1:
        raise DamagedError("the pixel data hold more than one image of the matrix")
    return pixels.value[:expected], excess if excess > expected % 2 else 0


def _decodable(dataset: Dataset, image: bytes, syntax: UID, header: InstanceHeader) -> Dataset:
    """The elements that a decoder needs, from the checked header; set so that it masks no bits."""
    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = syntax
    bare.set_original_encoding(*dataset.original_encoding)
    allocated = header.bits_allocated or 16
    for name, value in (
        ("Rows", header.rows),
        ("Columns", header.columns),
        ("SamplesPerPixel", 1),
        ("BitsAllocated", allocated),
        ("BitsStored", allocated),
        ("HighBit", allocated - 1),
        ("PixelRepresentation", int(header.signed)),
        ("PhotometricInterpretation", "MONOCHROME2"),
    ):
        setattr(bare, name, value)
    if syntax.is_encapsulated:
        bare.add_new("PixelData", "OB", encapsulate([image], has_bot=False))
    else:
        bare.add_new("PixelData", "OW", image)
    bare["PixelData"].is_undefined_length = syntax.is_encapsulated
    return bare


def hounsfield(stored: NDArray[np.integer], header: InstanceHeader) -> NDArray[np.float32]:
    """HU (rows, columns) of stored values; padding and values below air become -1024."""
    slope, intercept = header.slope or 1.0, header.intercept or 0.0
    hu = stored.astype(np.float32)
    hu *= np.float32(slope)
    hu += np.float32(intercept)
    if header.padding:
        low, high = sorted(value_bits(header).wrapped(value) for value in header.padding)
        if _is_padding((low, high), slope, intercept):
            hu[(stored >= low) & (stored <= high)] = AIR_HU
    return np.maximum(hu, np.float32(AIR_HU), out=hu)


def _is_padding(padding: tuple[int, int], slope: float, intercept: float) -> bool:
    """Whether padding values lie outside the range of tissue."""
    low, high = (value * slope + intercept for value in padding)
    return high <= PADDING_BELOW_HU or low >= PADDING_ABOVE_HU
