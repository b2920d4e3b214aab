"""Stored values straight from a CT file, only for the self-check.

It shares no code with `oarflow.intake`: pydicom chooses the decoder, and values are computed as
remainders by PS3.5 8.1.1.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_fragments
from pydicom.filereader import read_partial
from pydicom.pixels.decoders.base import get_decoder
from pydicom.tag import BaseTag

from oarflow.errors import Fault

_PIXEL_DATA = 0x7FE00010
_OFFSET_BYTES = 4


def stored_pixels(path: Path) -> tuple[Dataset, NDArray[np.integer]]:
    """A CT file's data set up to its pixels, and its stored values (rows, columns).

    Raises Fault where they cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = _read(path)
            stored = int(dataset.BitsStored)
            dataset.BitsStored = dataset.BitsAllocated  # no bits are masked in decoding
            decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
            words, _ = decoder.as_array(dataset, index=0, raw=True)
            if stored == dataset.BitsAllocated:
                return dataset, words
            return dataset, _values(words.astype(np.int64), stored, dataset)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RuntimeError):
        raise Fault("a CT file's pixels cannot be read again for the self-check") from None


def _values(words: NDArray[np.int64], stored: int, dataset: Dataset) -> NDArray[np.int64]:
    """The values of words: only their `stored` bits."""
    high = dataset.get("HighBit")
    low = 0 if high is None else int(high) + 1 - stored
    values = (words >> low) % 2**stored
    if dataset.PixelRepresentation == 1:
        values -= 2**stored * (values >= 2 ** (stored - 1))
    return np.asarray(values)


def _read(path: Path) -> Dataset:
    """A data set with the attributes of a grey image, which the intake does not require."""
    behind = _UntilPixels()
    with path.open("rb") as file:
        dataset = read_partial(file, stop_when=behind, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit = dataset.original_encoding[0]
        dataset.file_meta.TransferSyntaxUID = (
            pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
        )
    dataset.SamplesPerPixel, dataset.NumberOfFrames = 1, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = dataset.get("PixelRepresentation") or 0
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        dataset.PixelData = encapsulate([_stream(dataset.PixelData)], has_bot=False)
    else:
        size = dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8
        dataset.PixelData = dataset.PixelData[:size]
    return dataset


class _UntilPixels:
    """Stops pydicom after the pixel data, where some files have invalid bytes."""

    def __init__(self) -> None:
        self.passed = False

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        stop = self.passed
        self.passed = stop or tag == _PIXEL_DATA
        return stop


def _stream(encapsulated: bytes) -> bytes:
    """The joined fragments of one image. No compressed image begins like an offset table."""
    first, *others = generate_fragments(encapsulated)
    table = len(first) <= _OFFSET_BYTES or not any(first[:_OFFSET_BYTES])
    return b"".join(others if table else (first, *others))
