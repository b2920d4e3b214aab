"""Sorts the files of a batch into images, refused images and other files."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset, dcmread

from oarflow.intake.elements import tag_of, text
from oarflow.intake.files import (
    BoundedFile,
    DamagedError,
    NotDicomError,
    PrivateSyntaxError,
    opened,
    parse_header,
)
from oarflow.node.listener.server import STORAGE_CLASSES
from oarflow.node.storage.statuses import NotStored, StoreStatus

MODALITIES = ("CT", "MR")
_TAGS = tuple(tag_of(name) for name in ("SOPClassUID", "Modality", "SeriesInstanceUID"))
SHOWN = 20
"""How many refused files are listed."""


@dataclass(frozen=True)
class RefusedFile:
    """An image file that was refused, without patient data.

    number: its place among all files by path, from 1. code: a C-STORE status or an errno name.
    series_uid: empty if it cannot be read. folder: the folder of the file.
    """

    number: int
    code: str
    reason: str
    series_uid: str
    folder: Path

    def __str__(self) -> str:
        return f"file {self.number} ({self.code}): {self.reason}"


@dataclass
class FileCounts:
    """Counts of a folder's files. other: no DICOM, or neither CT nor MR.

    folders: the folders of each series' images.
    """

    taken: int = 0
    other: int = 0
    refused: list[RefusedFile] = field(default_factory=list)
    folders: dict[str, set[Path]] = field(default_factory=dict)

    def of_series(self, series_uid: str) -> list[RefusedFile]:
        """Refused files of this series."""
        return [one for one in self.refused if one.series_uid == series_uid]

    def beside(self, series_uid: str) -> list[RefusedFile]:
        """Refused files of unknown series in the folders of this one."""
        folders = self.folders.get(series_uid, set())
        return [one for one in self.refused if not one.series_uid and one.folder in folders]

    def words(self) -> list[str]:
        """Lines for a person."""
        said = [f"{self.taken} images accepted, {self.other} other files left out"]
        if self.refused:
            said.append(f"{len(self.refused)} image files REFUSED (number in the order of paths):")
            said += [f"  {one}" for one in self.refused[:SHOWN]]
        if len(self.refused) > SHOWN:
            said.append(f"  and {len(self.refused) - SHOWN} more")
        return said


def files(folder: Path, without: str) -> Iterator[Path]:
    """All files below a folder, in the order of `LC_ALL=C sort`. without: a folder's name."""
    for path in sorted(folder.rglob("*"), key=os.fsencode):
        if path.is_file() and without not in path.parts:
            yield path


@dataclass(frozen=True)
class ImageHint:
    """What a file's header says, even if damaged. image: whether it says CT or MR image."""

    image: bool
    series_uid: str


def read_hint(path: Path) -> ImageHint:
    """Read a file's header within bounds, without refusing damage. Raises OSError."""
    try:
        with opened(path) as file:
            header = _header(file)
    except NotDicomError:
        return ImageHint(False, "")
    except DamagedError:
        return ImageHint(True, "")
    sop_class, modality = text(header, "SOPClassUID"), text(header, "Modality")
    series = text(header, "SeriesInstanceUID")
    if not sop_class:
        return ImageHint(_marked(path), series)
    image = sop_class in STORAGE_CLASSES or modality in MODALITIES
    return ImageHint(image and modality in (*MODALITIES, ""), series)


def _header(file: BoundedFile) -> Dataset:
    """The header, also of a private transfer syntax. Raises NotDicomError, DamagedError."""
    try:
        return parse_header(file, _TAGS).dataset
    except PrivateSyntaxError:
        file.seek(0)
    try:
        with file.header_only():
            return dcmread(file, stop_before_pixels=True, specific_tags=list(_TAGS), force=True)
    except Exception as error:  # whatever the parser meets
        raise DamagedError(type(error).__name__) from error


def _marked(path: Path) -> bool:
    """Whether a file has the prefix DICM (PS3.10, 7.1)."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_content(path: Path, largest: int) -> bytes:
    """A file's bytes. Raises OSError, and NotStored if there are more than `largest`."""
    if path.stat().st_size > largest:
        reason = f"larger than listener.max_instance_mb, {largest // 2**20} MB"
        raise NotStored(StoreStatus.CANNOT_UNDERSTAND, reason)
    return path.read_bytes()


def refusal_reason(error: NotStored | OSError | ValueError) -> tuple[str, str]:
    """Code and reason, without the file's name or content."""
    if isinstance(error, NotStored):
        return f"{error.status:04X}", str(error)
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, "OSError"), "the file cannot be read"
    return "C000", "the file's header cannot be read"
