"""Files to send, checked against the SHA-256 of result.json."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from oarflow.node.settings.delivery import ObjectKind
from oarflow.result import ResultDocument


@dataclass(frozen=True)
class OutgoingFile:
    """One file to send.

    name: its name in a destination of kind folder: the SOP Instance UID or a digest, with the
    kind's ending. sop_class_uid, sop_instance_uid, transfer_syntax_uid: None if not DICOM.
    """

    path: Path
    kind: ObjectKind
    sha256: str
    name: str
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    transfer_syntax_uid: str | None = None

    @property
    def key(self) -> str:
        """The file's identity: the SOP Instance UID, or the digest if not DICOM."""
        return self.sop_instance_uid or self.sha256


class SendVerdict(StrEnum):
    """How an attempt ended.

    REFUSED: the destination refuses the object until a person changes something there.
    """

    STORED = "stored"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"


@dataclass(frozen=True)
class SendResult:
    """The outcome for one object. reason: in words, without patient data.

    warned: stored with a warning, which a person must know.
    """

    key: str
    verdict: SendVerdict
    reason: str
    warned: bool = False


class Transport(Protocol):
    """Sends to one destination, for one attempt.

    asked: after sending, whether the peer accepted a request for storage commitment. not_asked: why
    the request failed, if the peer offers commitment; otherwise empty.
    """

    @property
    def asked(self) -> bool: ...

    @property
    def not_asked(self) -> str: ...

    def send(self, items: tuple[OutgoingFile, ...]) -> Iterable[SendResult]:
        """Send all files. Yields each outcome at once. Raises no network errors."""
        ...


class Altered(Exception):
    """A file differs from result.json. The message is a reason in words."""


_ENDINGS: dict[ObjectKind, str] = {"REPORT_PDF": ".pdf", "REPORT_HTML": ".html"}


def outgoing_files(folder: Path, result: ResultDocument) -> tuple[OutgoingFile, ...]:
    """All outputs of a run in its folder. Raises Altered."""
    found = []
    for output in result.outputs:
        path = (folder / output.path).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise Altered("result.json names a file outside the job's folder")
        found.append(outgoing_file(path, output.kind, output.sha256))
    return tuple(found)


def outgoing_file(path: Path, kind: ObjectKind, sha256: str) -> OutgoingFile:
    """A file with this digest. Raises Altered if it differs."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Altered(f"the {kind} is missing from the job's folder") from error
    if digest != sha256:
        raise Altered(f"the {kind} in the job's folder has changed since it was written")
    if kind in _ENDINGS:
        return OutgoingFile(path, kind, sha256, name=f"{sha256[:32]}{_ENDINGS[kind]}")
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        meta = header.file_meta
        instance = str(meta.MediaStorageSOPInstanceUID)
        return OutgoingFile(
            path,
            kind,
            sha256,
            name=f"{instance}.dcm",
            sop_class_uid=str(meta.MediaStorageSOPClassUID),
            sop_instance_uid=instance,
            transfer_syntax_uid=str(meta.TransferSyntaxUID),
        )
    except (InvalidDicomError, AttributeError) as error:
        raise Altered(f"the {kind} in the job's folder is not a DICOM file") from error
