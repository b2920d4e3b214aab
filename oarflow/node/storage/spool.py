"""Received instances on disk, under names without patient data."""

from __future__ import annotations

import errno
import hashlib
from io import BytesIO
from pathlib import Path

from pydicom import FileMetaDataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID

from oarflow.node.database.receiving import Origin
from oarflow.node.files import TEMPORARY, free_bytes, make_folder, write_safely
from oarflow.node.storage.dataset import Contents
from oarflow.node.storage.statuses import NotStored, StoreStatus

INCOMING = "incoming"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_PREAMBLE = b"\0" * 128 + b"DICM"


class Spool:
    """The folder of received instances. root: the storage folder. min_free: bytes to leave free."""

    def __init__(self, root: Path, min_free: int) -> None:
        self.root = root
        self.folder = root / INCOMING
        self._min_free = min_free

    def open(self) -> None:
        """Make the folder; remove files that were not answered with success. Raises OSError."""
        make_folder(self.folder)
        for leftover in self.folder.glob(f"*/{TEMPORARY}*"):
            leftover.unlink()

    def check_room(self, size: int) -> None:
        """Raises NotStored if the instance would leave less than `min_free` bytes."""
        if free_bytes(self.folder) - size < self._min_free:
            raise NotStored(StoreStatus.OUT_OF_RESOURCES, "not enough free disk space")

    def place(self, origin: Origin, contents: Contents) -> Path:
        """The path of an instance, which need not exist."""
        return self.folder / series_folder(origin.calling_ae, contents) / _file_name(contents)

    def keep(self, target: Path, origin: Origin, contents: Contents, data: bytes) -> None:
        """Write an instance safely to disk. Raises NotStored."""
        try:
            try:
                write_safely(target, _preface(origin, contents), data)
            except FileNotFoundError:  # the first of its series
                make_folder(target.parent)
                write_safely(target, _preface(origin, contents), data)
        except OSError as error:
            kind = errno.errorcode.get(error.errno or 0)
            full = error.errno in _NO_ROOM
            reason = "the disk is full" if full else f"the disk has an error ({kind})"
            raise NotStored(StoreStatus.OUT_OF_RESOURCES, reason) from error

    def relative(self, path: Path) -> str:
        """A path of the spool as the database stores it."""
        return f"{INCOMING}/{path.parent.name}/{path.name}"

    def stored(self) -> list[Path]:
        """The paths of all instances on disk."""
        return sorted(self.folder.glob("*/*.dcm"))


def series_folder(calling_ae: str, contents: Contents) -> str:
    """Name of a series' folder, different for each sender."""
    header = contents.header
    return _digest(calling_ae, header.study_uid, header.series_uid)


def _file_name(contents: Contents) -> str:
    """Name of an instance's file, different for other content under the same UID."""
    return _digest(contents.header.sop_instance_uid, contents.sha256) + ".dcm"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def _preface(origin: Origin, contents: Contents) -> bytes:
    """Preamble and file meta group (PS3.10, 7.1), with the sender's AE title for recovery."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(contents.header.sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(contents.header.sop_instance_uid)
    meta.TransferSyntaxUID = UID(contents.header.transfer_syntax_uid)
    meta.ImplementationClassUID = PYNETDICOM_IMPLEMENTATION_UID
    meta.SourceApplicationEntityTitle = origin.calling_ae
    meta.ReceivingApplicationEntityTitle = origin.called_ae
    return _encoded(meta)


def _encoded(meta: FileMetaDataset) -> bytes:
    stream = DicomBytesIO()
    stream.write(_PREAMBLE)
    write_file_meta_info(stream, meta)
    return stream.getvalue()


def split(path: Path) -> tuple[Origin, str, bytes]:
    """Sender, transfer syntax and data set of a stored file. Raises OSError, ValueError."""
    return split_bytes(path.read_bytes())


def split_bytes(whole: bytes) -> tuple[Origin, str, bytes]:
    """Sender, transfer syntax and data set of a file's bytes. Raises ValueError."""
    try:
        meta = dcmread(BytesIO(whole), stop_before_pixels=True, specific_tags=[]).file_meta
    except Exception as error:  # whatever the parser meets
        raise ValueError("no DICOM file") from error
    if "FileMetaInformationGroupLength" not in meta or "TransferSyntaxUID" not in meta:
        raise ValueError("no DICOM file")
    start = 132 + 12 + int(meta.FileMetaInformationGroupLength)
    origin = Origin(
        str(meta.get("SourceApplicationEntityTitle", "")),
        str(meta.get("ReceivingApplicationEntityTitle", "")),
    )
    return origin, str(meta.TransferSyntaxUID), whole[start:]


def same_content(path: Path, data: bytes, transfer_syntax_uid: str) -> bool:
    """Whether a stored file and a data set have equal elements, in any encoding.

    Pixels are compared as stored: another compression counts as different.
    """
    try:
        stored = dcmread(path)
        meta = stored.file_meta
        meta.TransferSyntaxUID = UID(transfer_syntax_uid)
        other = dcmread(BytesIO(_encoded(meta) + data))
        return bool(_plain(stored) == _plain(other))
    except Exception:  # an error means different content
        return False


def _plain(dataset: object) -> dict[str, object]:
    to_json: dict[str, object] = dataset.to_json_dict()  # type: ignore[attr-defined]
    return {tag: value for tag, value in to_json.items() if tag[4:] != "0000"}
