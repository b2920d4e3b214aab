"""What is sent: an object of a job's results, proven to be the one that result.json names."""

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

    name: its name at a destination that is a folder: the SOP Instance UID, or a digest, and the
    kind's ending. sop_class_uid, sop_instance_uid, transfer_syntax_uid: None where it is no DICOM.
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
        """What tells it from every other object: the SOP Instance UID, or the digest."""
        return self.sop_instance_uid or self.sha256


class SendVerdict(StrEnum):
    """How an attempt ended.

    REFUSED: the other side does not want it as it is, and a person must change something there.
    """

    STORED = "stored"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"


@dataclass(frozen=True)
class SendResult:
    """How the attempt at one object ended. reason: in words, nothing of the patient.

    warned: it is stored, but the reason is one that a person must know.
    """

    key: str
    verdict: SendVerdict
    reason: str
    warned: bool = False


class Transport(Protocol):
    """A way to a destination, for one attempt.

    asked: after sending, whether the peer was asked to commit to what it has, and took the request.
    not_asked: why it did not, where it offers commitment and the request failed; else empty.
    """

    @property
    def asked(self) -> bool: ...

    @property
    def not_asked(self) -> str: ...

    def send(self, items: tuple[OutgoingFile, ...]) -> Iterable[SendResult]:
        """Send all; an outcome for each, as soon as it is known. Raises nothing of the network."""
        ...


class Altered(Exception):
    """A file is not what result.json says. The message is a reason in words."""


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
    """A file, if it is the one with this digest. Raises Altered."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Altered(f"the {kind} is missing from the job's folder") from error
    if digest != sha256:
        raise Altered(f"the {kind} in the job's folder is not the one that was written")
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
        raise Altered(f"the {kind} in the job's folder is no DICOM file") from error
