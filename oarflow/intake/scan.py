"""Walks a folder, assigns every file a class and reads the headers of DICOM files."""

from __future__ import annotations

import os
import stat
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    MediaStorageDirectoryStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameSingleBitSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
    XRayRadiationDoseSRStorage,
)

from oarflow.errors import Code, Finding, Refusal
from oarflow.intake.files import (
    DamagedError,
    NotDicomError,
    PixelData,
    PrivateSyntaxError,
    opened,
    parse_header,
)
from oarflow.intake.headers import HEADER_TAGS, InstanceHeader, header_of
from oarflow.intake.identity import is_uid
from oarflow.intake.limits import MAX_FILES
from oarflow.intake.names import patterns

_SLICE_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
_LOCALIZER = frozenset({"LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "REF_SURVIEW", "SCANOGRAM"})
_DOSE = frozenset({"DOSE_INFO", "DOSE", "DOSE REPORT"})
_RENDERING = frozenset(
    {"3D", "VRT", "SSD", "MIP", "MINIP", "MAXIP", "VOLUME RENDERED", "VR", "SCREEN SAVE"}
    | {"SCREENSHOT", "SECONDARY CAPTURE", "PROJECTION IMAGE"}
)
_MAP = frozenset(
    {"PERFUSION", "RCBF", "RCBV", "CBF", "CBV", "MTT", "TTP", "TMAX", "Z_EFF", "IODINE", "VNC"}
)


_CAPTURES = frozenset(
    {
        SecondaryCaptureImageStorage,
        MultiFrameSingleBitSecondaryCaptureImageStorage,
        MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        MultiFrameTrueColorSecondaryCaptureImageStorage,
    }
)

_ARCHIVES = (b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
"""First bytes of zip, 7z, rar, gzip, bzip2 and xz."""

_TAR_AT, _TAR = 257, b"ustar"


class FileClass(StrEnum):
    """The class of a file."""

    SLICE = "ct_slice"
    OTHER_SERIES = "ct_slice_of_other_series"
    OTHER_STUDY = "object_of_other_study"
    DUPLICATE = "duplicate"
    LOCALIZER = "localizer"
    SECONDARY_CAPTURE = "secondary_capture"
    DOSE_REPORT = "dose_report"
    RENDERING = "rendering"
    MAP = "parametric_map"
    ENHANCED_CT = "enhanced_ct"
    OTHER_CT = "ct_of_other_sop_class"
    MR = "used_as_mr"
    OTHER_OBJECT = "other_dicom_object"
    DICOMDIR = "dicomdir"
    PRIVATE_SYNTAX = "unsupported_transfer_syntax"
    FLOAT_PIXELS = "ct_of_float_pixels"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    ARCHIVE = "archive"
    NOT_DICOM = "not_dicom"
    HIDDEN = "hidden"
    LINK = "link_not_followed"
    SPECIAL = "not_a_regular_file"


CT_OBJECTS = frozenset(
    {
        FileClass.SLICE,
        FileClass.TRUNCATED,
        FileClass.FLOAT_PIXELS,
        FileClass.OTHER_CT,
        FileClass.LOCALIZER,
        FileClass.RENDERING,
        FileClass.MAP,
        FileClass.ENHANCED_CT,
        FileClass.SECONDARY_CAPTURE,
        FileClass.DOSE_REPORT,
    }
)
"""Classes of objects with a CT's SOP class or modality."""


@dataclass(frozen=True, eq=False)
class FileRecord:
    """One file. header: None where it is not a readable DICOM object."""

    path: Path
    file_class: FileClass
    header: InstanceHeader | None = None
    syntax: str = ""


@dataclass(frozen=True)
class FileAccount:
    """Number of files of each class, and of each SOP class that is not a CT slice."""

    counts: tuple[tuple[FileClass, int], ...] = ()
    objects: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, records: Iterable[FileRecord]) -> FileAccount:
        """Count records."""
        found = tuple(records)
        classes = Counter(record.file_class for record in found)
        objects = Counter(
            UID(record.header.sop_class_uid).name
            if is_uid(record.header.sop_class_uid)
            else "unknown"
            for record in found
            if record.header and record.file_class in (FileClass.OTHER_OBJECT, FileClass.OTHER_CT)
        )
        return cls(
            tuple((kind, classes[kind]) for kind in FileClass if classes[kind]),
            tuple(sorted(objects.items())),
        )

    @property
    def total(self) -> int:
        """The number of all files."""
        return sum(count for _, count in self.counts)

    def count(self, kind: FileClass) -> int:
        """Files of one class."""
        return dict(self.counts).get(kind, 0)

    def as_json(self) -> dict[str, object]:
        """Plain values for result.json."""
        return {
            "total": self.total,
            "classes": {str(kind): count for kind, count in self.counts},
            "other_objects": dict(self.objects),
        }


@dataclass(frozen=True, eq=False)
class Scan:
    """All files of a folder, in an order that depends only on their names."""

    records: tuple[FileRecord, ...]

    @property
    def account(self) -> FileAccount:
        return FileAccount.of(self.records)

    def of(self, *classes: FileClass) -> tuple[FileRecord, ...]:
        """The records of some classes."""
        return tuple(record for record in self.records if record.file_class in classes)

    def relabelled(self, new: dict[Path, FileClass]) -> Scan:
        """The same files with other classes for some."""
        return Scan(
            tuple(
                replace(record, file_class=new.get(record.path, record.file_class))
                for record in self.records
            )
        )


def scan(folder: Path | Sequence[Path]) -> Scan:
    """Classify every file below a folder and read DICOM headers. Hidden files are not opened.

    folder: several folders are one input; a file below two of them counts once. Links to folders
    are not followed. Raises Refusal (NO_FILES, TOO_LARGE).
    """
    records = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote values of the header
        for path, kind in _walk_all([folder] if isinstance(folder, Path) else folder):
            records.append(FileRecord(path, kind) if kind else _read(path))
            if len(records) > MAX_FILES:
                raise refusal(
                    Scan(tuple(records)), Finding(Code.TOO_LARGE, f"more than {MAX_FILES} files")
                )
    if all(record.file_class == FileClass.HIDDEN for record in records):
        raise refusal(Scan(tuple(records)), Finding(Code.NO_FILES, "no file was found"))
    return with_lost_slices(Scan(tuple(records)))


def with_lost_slices(found: Scan) -> Scan:
    """Mark files that may be lost slices as UNREADABLE: a gap at an end of the stack is invisible.

    These are empty or non-DICOM files that are named like slices beside them, and files that end
    within their Series Instance UID, which then looks like another series.
    """
    named: dict[Path, set[str]] = defaultdict(set)
    for record in found.of(FileClass.SLICE, FileClass.TRUNCATED):
        named[record.path.parent] |= patterns(record.path.name)
    lost = {
        record.path: FileClass.UNREADABLE
        for record in found.of(FileClass.EMPTY, FileClass.NOT_DICOM)
        if patterns(record.path.name) & named[record.path.parent]
    }
    return found.relabelled(lost | dict.fromkeys(_cut_in_uid(found), FileClass.UNREADABLE))


def _cut_in_uid(found: Scan) -> Iterator[Path]:
    """Truncated files whose Series Instance UID is only the beginning of a complete slice's."""
    whole = {
        record.header.series_uid
        for record in found.of(FileClass.SLICE)
        if record.header is not None
    }
    for record in found.of(FileClass.TRUNCATED):
        begun = record.header.series_uid if record.header is not None else ""
        if any(uid != begun and uid.startswith(begun) for uid in whole):
            yield record.path


def refusal(found: Scan, *findings: Finding) -> Refusal:
    """A refusal with the count of the files."""
    error = Refusal(*findings)
    error.account = found.account.as_json()
    return error


def _walk_all(folders: Sequence[Path]) -> Iterator[tuple[Path, FileClass | None]]:
    """Every file of several folders once, even if these contain each other."""
    seen: set[Path] = set()
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        for path, kind in _walk(folder):
            if path not in seen:
                yield path, kind
            seen.add(path)


def _walk(folder: Path) -> Iterator[tuple[Path, FileClass | None]]:
    """Every file, with its class if the name or file type decides."""
    unreadable: list[str] = []
    top = os.fspath(folder)
    for parent, folders, names in os.walk(top, onerror=lambda e: unreadable.append(e.filename)):
        inside_hidden = _hidden(Path(parent), folder)
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in links)
        for name in sorted(names + links):
            path = Path(parent) / name
            hidden = inside_hidden or name.startswith(".")
            yield path, FileClass.HIDDEN if hidden else _kind(path)
    for name in sorted(unreadable):
        hidden = _hidden(Path(name), folder)
        yield Path(name), FileClass.HIDDEN if hidden else FileClass.UNREADABLE


def _hidden(path: Path, folder: Path) -> bool:
    """Whether a path inside the folder is hidden or below a hidden folder."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _kind(path: Path) -> FileClass | None:
    """Class of a path that must not be opened, None for a regular file with content."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return FileClass.LINK if path.is_symlink() else FileClass.UNREADABLE
    if stat.S_ISDIR(status.st_mode):
        return FileClass.LINK
    if not stat.S_ISREG(status.st_mode):
        return FileClass.SPECIAL
    if status.st_size == 0:
        return FileClass.UNREADABLE if path.suffix.lower() in _SLICE_SUFFIXES else FileClass.EMPTY
    return None


def _read(path: Path) -> FileRecord:
    try:
        with opened(path) as file:
            parsed = parse_header(file, HEADER_TAGS)
        header = header_of(
            parsed.dataset, parsed.transfer_syntax_uid, parsed.media_sop_instance_uid
        )
    except NotDicomError:
        return FileRecord(path, _not_dicom(path))
    except PrivateSyntaxError as error:
        return FileRecord(path, FileClass.PRIVATE_SYNTAX, syntax=error.uid)
    except (DamagedError, OSError):
        return FileRecord(path, FileClass.UNREADABLE)
    if header.sop_class_uid == MediaStorageDirectoryStorage or path.name.upper() == "DICOMDIR":
        return FileRecord(path, FileClass.DICOMDIR)
    if not (header.sop_class_uid and header.sop_instance_uid):
        # Without a file meta group any bytes may look like a tag; with one, the file is damaged.
        named = parsed.transfer_syntax_uid or len(parsed.dataset) > 1
        return FileRecord(path, FileClass.UNREADABLE if named else _not_dicom(path))
    kind = classify(header, parsed.pixels)
    if kind in (FileClass.TRUNCATED, FileClass.FLOAT_PIXELS) and not header.series_uid:
        kind = FileClass.UNREADABLE
    return FileRecord(path, kind, header)


def is_archive(start: bytes) -> bool:
    """Whether a file begins like an archive or a compressed file. start: at least 262 bytes."""
    return start.startswith(_ARCHIVES) or start[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR


def _not_dicom(path: Path) -> FileClass:
    """The class of a file that is not DICOM: a slice cut off in its first bytes, or other."""
    if path.suffix.lower() in _SLICE_SUFFIXES:
        return FileClass.UNREADABLE
    return FileClass.ARCHIVE if _archive(path) else FileClass.NOT_DICOM


def _archive(path: Path) -> bool:
    """Whether a file begins like an archive, which may contain the series."""
    try:
        with opened(path) as file:
            return is_archive(file.read(_TAR_AT + len(_TAR)))
    except OSError:
        return False


def classify(header: InstanceHeader, pixels: PixelData) -> FileClass:
    """Class of a DICOM object, by SOP class and Image Type together."""
    if header.sop_class_uid == XRayRadiationDoseSRStorage:
        return FileClass.DOSE_REPORT
    if header.modality not in ("CT", ""):
        return FileClass.OTHER_OBJECT
    if header.sop_class_uid in (EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage):
        return FileClass.ENHANCED_CT
    kinds = set(header.image_type)
    if header.sop_class_uid == CTImageStorage:
        return _ct_image(header, kinds, pixels)
    return _no_ct_image(header, kinds)


def _no_ct_image(header: InstanceHeader, kinds: set[str]) -> FileClass:
    """Class of an object that is not a CT image."""
    if header.modality != "CT":
        return FileClass.OTHER_OBJECT
    if header.sop_class_uid not in _CAPTURES:
        return FileClass.OTHER_CT
    return FileClass.DOSE_REPORT if kinds & _DOSE else FileClass.SECONDARY_CAPTURE


def _ct_image(header: InstanceHeader, kinds: set[str], pixels: PixelData) -> FileClass:
    for kind, words in (
        (FileClass.LOCALIZER, _LOCALIZER),
        (FileClass.DOSE_REPORT, _DOSE),
        (FileClass.RENDERING, _RENDERING),
        (FileClass.MAP, _MAP),
    ):
        if kinds & words:
            return kind
    if (header.frames or 1) > 1:
        return FileClass.ENHANCED_CT
    if (header.samples_per_pixel or 1) > 1:
        return FileClass.SECONDARY_CAPTURE
    if pixels is PixelData.FLOAT:
        return FileClass.FLOAT_PIXELS
    return FileClass.SLICE if pixels is PixelData.WHOLE else FileClass.TRUNCATED
