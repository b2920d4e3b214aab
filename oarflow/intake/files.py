"""Reads one file as a DICOM data set, within limits for time and memory."""

from __future__ import annotations

import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import BinaryIO, Literal

from pydicom import Dataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from oarflow.intake import elements
from oarflow.intake.limits import (
    MAX_FILE_BYTES,
    MAX_FRAGMENTS,
    MAX_HEADER_BYTES,
    MAX_HEADER_READS,
    MAX_INFLATED_BYTES,
)

MAGIC_AT = 128
_META_AT = MAGIC_AT + 4
_META_START = b"\x02\x00\x00\x00"
_PIXEL_DATA = 0x7FE00010
_LAST_TAG = 0xFFFCFFFC
"""Data Set Trailing Padding."""
_FLOAT_PIXEL_DATA = (0x7FE00008, 0x7FE00009)
_PIXEL_TAGS = (*_FLOAT_PIXEL_DATA, _PIXEL_DATA)
_STRUCTURE_SET = 0x3006
_UNDEFINED = 0xFFFFFFFF


class NotDicomError(Exception):
    """The file is not DICOM."""


class DamagedError(Exception):
    """The file is damaged DICOM."""


class PrivateSyntaxError(Exception):
    """The data set has a private transfer syntax."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        super().__init__(uid)


class BoundedFile(io.BufferedReader):
    """Reads at most the file's size, so that a forged length cannot allocate gigabytes.

    Within `header_only`, the total number of bytes read is limited too.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        super().__init__(io.FileIO(descriptor, "rb"))
        self.size = size
        self._bytes_left: int | None = None
        self._reads_left = MAX_HEADER_READS

    @contextmanager
    def header_only(self) -> Iterator[None]:
        """Raise DamagedError for reads beyond the size of real objects' headers."""
        self._bytes_left, self._reads_left = MAX_FILE_BYTES, MAX_HEADER_READS
        try:
            yield
        finally:
            self._bytes_left = None

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self.size - self.tell())
        wanted = left if size is None or size < 0 else min(size, left)
        if self._bytes_left is not None:
            self._bytes_left -= wanted
            self._reads_left -= 1
            if min(self._bytes_left, self._reads_left, MAX_HEADER_BYTES - wanted) < 0:
                raise DamagedError("its header is larger than that of any real object")
        return super().read(wanted)

    def rest(self) -> bytes:
        """The rest of the file."""
        return super().read(max(0, self.size - self.tell()))


class PixelData(Enum):
    """The pixel data after a header."""

    WHOLE = auto()
    FLOAT = auto()
    LACKING = auto()


@dataclass(frozen=True, eq=False)
class Parsed:
    """A data set up to its pixels. UIDs are empty where the file meta group lacks them.

    media_sop_instance_uid: the instance's UID in the file meta group.
    pixels: whether pixel data follow, are complete by their lengths, and are integers.
    """

    dataset: Dataset
    transfer_syntax_uid: str
    media_sop_instance_uid: str
    pixels: PixelData


@contextmanager
def opened(path: Path) -> Iterator[BoundedFile]:
    """Open a regular file for reading; never waits for a pipe. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a regular file")
        file = BoundedFile(descriptor, status.st_size)
    except BaseException:
        os.close(descriptor)
        raise
    with file:
        yield file


def parse_header(file: BoundedFile, tags: tuple[int, ...]) -> Parsed:
    """Read the named elements before the pixels.

    Raises NotDicomError, DamagedError, PrivateSyntaxError.
    """
    with file.header_only():
        return _parse_header(file, tags)


def _parse_header(file: BoundedFile, tags: tuple[int, ...]) -> Parsed:
    syntax, media_uid = _meta(file)
    source: BinaryIO = file
    size = file.size
    wanted: list[BaseTag | int] = [BaseTag(tag) for tag in tags]
    try:
        if syntax == DeflatedExplicitVRLittleEndian:
            source, size = _inflated(file)
            dataset = read_dataset(
                source, False, True, stop_when=_stops_header, specific_tags=wanted
            )
        else:
            _refuse_zeros(file)
            file.seek(0)
            dataset = read_partial(file, _stops_header, force=True, specific_tags=wanted)
    except (NotDicomError, DamagedError):
        raise
    except Exception as error:  # the parser raises many kinds on damaged input
        if syntax == ExplicitVRBigEndian:  # some vendors use this UID for private encodings
            raise PrivateSyntaxError(syntax) from error
        raise DamagedError(type(error).__name__) from error
    return Parsed(dataset, syntax, media_uid, _pixels(source, size, dataset))


@dataclass(frozen=True, eq=False)
class Whole:
    """A data set with undecoded pixels. excess: number of bytes after it."""

    dataset: Dataset
    excess: int


class _BehindPixels:
    """Stops a parser after the pixel data: the rest is not needed and may be invalid."""

    def __init__(self) -> None:
        self.passed = False
        self.in_order = True

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        if self.passed:
            self.in_order = _PIXEL_DATA < tag <= _LAST_TAG
            return True
        self.passed = tag == _PIXEL_DATA
        return False


def parse_whole(path: Path) -> Whole:
    """Read a data set up to the end of its pixels. Raises DamagedError, OSError."""
    with opened(path) as file:
        if file.size > MAX_FILE_BYTES:
            raise DamagedError("larger than any CT image")
        syntax, _ = _meta(file)
        behind = _BehindPixels()
        try:
            source: BinaryIO = file
            size = file.size
            if syntax == DeflatedExplicitVRLittleEndian:
                source, size = _inflated(file)
                dataset = read_dataset(source, False, True, stop_when=behind)
            else:
                file.seek(0)
                dataset = read_partial(file, stop_when=behind, force=True)
        except DamagedError:
            raise
        except Exception as error:  # the parser raises many kinds on damaged input
            raise DamagedError("the data set is damaged") from error
        return Whole(dataset, 0 if behind.in_order else size - source.tell())


def _meta(file: BoundedFile) -> tuple[str, str]:
    """UIDs of transfer syntax and instance in the file meta group, empty where there is none.

    Raises NotDicomError for a file that does not look like DICOM.
    """
    file.seek(0)
    start = file.read(_META_AT + 4)
    magic = start[MAGIC_AT:_META_AT] == b"DICM"
    if magic or start[_META_AT:] == _META_START:
        if not magic:
            raise DamagedError("the prefix DICM is damaged")
        at = _META_AT
    elif start[:4] == _META_START:
        at = 0
    elif start[:2] == b"\x08\x00" and start[3:4] == b"\x00":
        file.seek(0)
        return "", ""
    else:
        raise NotDicomError
    file.seek(at)
    try:
        meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
        syntax = elements.text(meta, "TransferSyntaxUID")
        media_uid = elements.text(meta, "MediaStorageSOPInstanceUID")
    except Exception as error:  # the parser raises many kinds on damaged input
        raise DamagedError("the file meta group is damaged") from error
    if syntax and not (UID(syntax).is_transfer_syntax and not UID(syntax).is_private):
        raise PrivateSyntaxError(syntax)
    return syntax, media_uid


def _inflated(file: BoundedFile) -> tuple[BinaryIO, int]:
    """The deflated part of a file, inflated within limits. file: at the end of its meta group."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    if file.size > MAX_FILE_BYTES:
        raise DamagedError("larger than any CT image")
    content = inflater.decompress(file.rest(), MAX_INFLATED_BYTES + 1)
    if len(content) > MAX_INFLATED_BYTES:
        raise DamagedError("the deflated data set is larger than the limit")
    if not inflater.eof:
        raise DamagedError("the deflated stream is cut short")
    return io.BytesIO(content), len(content)


def _stops_header(tag: BaseTag, vr: str | None, length: int) -> bool:
    """Stop at the pixels, at the contours of a structure set, and where only zeros follow."""
    return tag in _PIXEL_TAGS or tag.group in (0, _STRUCTURE_SET)


def _refuse_zeros(file: BoundedFile) -> None:
    """Refuse zeros after the file meta group, which pydicom reads as a command."""
    if file.read(4) == b"\0" * 4:
        raise DamagedError("the data set begins with zeros")


def _pixels(source: BinaryIO, size: int, dataset: Dataset) -> PixelData:
    """The kind of pixel data at the position of `source`; they must end within the file."""
    implicit, little = dataset.original_encoding
    order: Literal["little", "big"] = "little" if little else "big"
    start = source.read(8 if implicit else 12)
    if len(start) < (8 if implicit else 12):
        return PixelData.LACKING
    group, element = (int.from_bytes(start[i : i + 2], order) for i in (0, 2))
    tag = group << 16 | element
    if tag in _FLOAT_PIXEL_DATA:
        return PixelData.FLOAT
    if tag != _PIXEL_DATA:
        return PixelData.LACKING
    length = int.from_bytes(start[-4:], order)
    if length != _UNDEFINED:
        whole = 0 < length <= size - source.tell()
    else:
        whole = _fragments_whole(source, size)
    return PixelData.WHOLE if whole else PixelData.LACKING


def _fragments_whole(source: BinaryIO, size: int) -> bool:
    for _ in range(MAX_FRAGMENTS):
        item = source.read(8)
        if item[:4] == b"\xfe\xff\xdd\xe0":
            return True
        if len(item) < 8 or item[:4] != b"\xfe\xff\x00\xe0":
            return False
        length = int.from_bytes(item[4:], "little")
        if length > size - source.tell():
            return False
        source.seek(length, io.SEEK_CUR)
    return False
