"""The files of a batch: which are images, which are something else, and which are refused."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread

from oarflow.node.listener.server import STORAGE_CLASSES
from oarflow.node.listener.statuses import NotStored

MODALITIES = ("CT", "MR")
SHOWN = 20
"""Refused files that are named one by one."""


@dataclass(frozen=True)
class Refused:
    """An image file that was not taken, without anything of the patient.

    number: its place among all files by path, from 1. code: a C-STORE status or the system's name
    of an error. series_uid: empty where it cannot be read. folder: that it lies in.
    """

    number: int
    code: str
    reason: str
    series_uid: str
    folder: Path

    def __str__(self) -> str:
        return f"file {self.number} ({self.code}): {self.reason}"


@dataclass
class Tally:
    """What became of a folder's files. other: no DICOM, or neither CT nor MR.

    folders: where the images of each series lie.
    """

    taken: int = 0
    other: int = 0
    refused: list[Refused] = field(default_factory=list)
    folders: dict[str, set[Path]] = field(default_factory=dict)

    def of_series(self, series_uid: str) -> list[Refused]:
        """Refused files that are of this series."""
        return [one for one in self.refused if one.series_uid == series_uid]

    def beside(self, series_uid: str) -> list[Refused]:
        """Refused files of no known series in the folders of this one: they may be of it."""
        folders = self.folders.get(series_uid, set())
        return [one for one in self.refused if not one.series_uid and one.folder in folders]

    def words(self) -> list[str]:
        """Lines for a person."""
        said = [f"{self.taken} images are taken, {self.other} other files left out"]
        if self.refused:
            said.append(f"{len(self.refused)} image files are REFUSED, counted by path:")
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
class Glimpse:
    """What can be read of a file, damaged or not. image: a CT or MR image, as far as it says."""

    image: bool
    series_uid: str


def glimpse(whole: bytes) -> Glimpse:
    """Look at a file's header with all leniency."""
    marked = whole[128:132] == b"DICM"
    tags = ["SOPClassUID", "Modality", "SeriesInstanceUID"]
    try:
        header = dcmread(BytesIO(whole), stop_before_pixels=True, specific_tags=tags, force=True)
        sop_class, modality, series = (_text(header, name) for name in tags)
        sop_class = sop_class or str(header.file_meta.get("MediaStorageSOPClassUID", ""))
    except Exception:  # whatever the parser meets: with the mark it was meant to be DICOM
        return Glimpse(marked, "")
    if sop_class:
        image = sop_class in STORAGE_CLASSES or modality in MODALITIES
        return Glimpse(image and modality in (*MODALITIES, ""), series)
    return Glimpse(marked, series)


def _text(header: Dataset, name: str) -> str:
    return str(header.get(name) or "").strip()


def why(error: NotStored | OSError | ValueError) -> tuple[str, str]:
    """Code and reason, nothing of the file's name or content."""
    if isinstance(error, NotStored):
        return f"{error.status:04X}", str(error)
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, "OSError"), "the file cannot be read"
    return "C000", "the file's header cannot be read"
