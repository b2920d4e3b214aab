"""Unpacks a zip archive within limits: only regular files, under new names."""

from __future__ import annotations

import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from lzma import LZMAError
from pathlib import Path
from typing import IO

from oarflow.errors import Code, Finding, Refusal
from oarflow.intake.files import MAGIC_AT
from oarflow.intake.limits import (
    MAX_ARCHIVE_BYTES,
    MAX_ARCHIVE_RATIO,
    MAX_DIRECTORY_BYTES,
    MAX_FILES,
)
from oarflow.intake.names import Pseudonyms
from oarflow.intake.scan import is_archive

_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
"""First bytes of a zip archive: of its first member, or of the end record of an empty one."""

_END = b"PK\x05\x06"
_END_BYTES, _COMMENT_BYTES = 22, 2**16
_ZIP64 = 0xFFFFFFFF

_CHUNK = 2**20
_ENCRYPTED = 0x1 | 0x2000
"""General purpose bits of an encrypted member, and of an encrypted list of members."""

_PLAIN_KINDS = (0, stat.S_IFREG, stat.S_IFDIR)

_DAMAGE = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError, ValueError)
"""Errors of the library for damaged members and unknown compression methods."""


def is_zip(path: Path) -> bool:
    """Whether a path is a regular file that is a zip archive by its content or name."""
    if not path.is_file():
        return False
    if path.suffix.lower() == ".zip":
        return True
    with path.open("rb") as file:
        return file.read(4) in _STARTS


def unpacked(inputs: Sequence[Path], room: Path) -> tuple[Path, ...]:
    """The inputs as folders; archives are unpacked into new folders below `room`.

    inputs: folders and zip archives. Raises Refusal (ARCHIVE_UNREADABLE, ARCHIVE_UNSAFE), OSError.
    """
    folders = []
    for path in inputs:
        if path.is_dir():
            folders.append(path)
        else:
            folders.append(Path(tempfile.mkdtemp(prefix="unpacked-", dir=room)))
            unpack(path, folders[-1])
    return tuple(folders)


def unpack(archive: Path, folder: Path) -> None:
    """Write an archive's files into an empty folder, under names without patient data.

    Similar names stay similar, and hidden names stay hidden. All checks that need no unpacking come
    first.
    Raises Refusal (ARCHIVE_UNREADABLE, ARCHIVE_UNSAFE), OSError.
    """
    try:
        _check_directory(archive)
        with zipfile.ZipFile(archive) as opened:
            members = _checked(opened.infolist(), archive.stat().st_size)
            pseudonyms = Pseudonyms()
            for member in members:
                target = folder / pseudonyms.of(_parts(member))
                target.parent.mkdir(exist_ok=True)
                _write(opened, member, target)
    except _DAMAGE as error:
        raise _unreadable("it is damaged, or its compression is not supported") from error
    except RuntimeError as error:  # the library raises this where it needs a password
        raise _unreadable("a member is encrypted") from error


def _check_directory(archive: Path) -> None:
    """Refuse a list of members that is too large for memory, before the library reads it."""
    size = archive.stat().st_size
    with archive.open("rb") as file:
        file.seek(max(0, size - _END_BYTES - _COMMENT_BYTES))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        raise _unreadable("it is cut short or not a zip archive")
    declared = int.from_bytes(tail[at + 12 : at + 16], "little")
    # The 64-bit form has its size elsewhere; no list is longer than the archive.
    listed = size if declared == _ZIP64 else min(declared, size)
    if listed > MAX_DIRECTORY_BYTES:
        raise _unsafe(f"its list of members has {listed} bytes, more than {MAX_DIRECTORY_BYTES}")


def _checked(members: Sequence[zipfile.ZipInfo], archive_bytes: int) -> list[zipfile.ZipInfo]:
    """The members that are files. Raises Refusal."""
    if len(members) > MAX_FILES:
        raise _unsafe(f"{len(members)} members, more than {MAX_FILES}")
    encrypted = sum(bool(member.flag_bits & _ENCRYPTED) for member in members)
    if encrypted:
        raise _unreadable(f"{encrypted} of {len(members)} members are encrypted")
    special = sum(stat.S_IFMT(m.external_attr >> 16) not in _PLAIN_KINDS for m in members)
    if special:
        raise _unsafe(f"{special} of {len(members)} members are links or not regular files")
    outside = sum(not _stays_inside(member) for member in members)
    if outside:
        raise _unsafe(f"{outside} of {len(members)} paths are empty or lead outside the archive")
    if len({member.header_offset for member in members}) < len(members):
        raise _unsafe("members share the same bytes")
    total = sum(member.file_size for member in members)
    if total > MAX_ARCHIVE_BYTES:
        raise _unsafe(f"unpacks to {total} bytes, more than {MAX_ARCHIVE_BYTES}")
    if total > MAX_ARCHIVE_RATIO * archive_bytes:
        ratio = total / archive_bytes
        raise _unsafe(f"unpacks to {ratio:.0f} times its size, more than {MAX_ARCHIVE_RATIO}")
    return [member for member in members if not member.is_dir()]


def _stays_inside(member: zipfile.ZipInfo) -> bool:
    name = member.orig_filename
    text = name.replace("\\", "/")
    if "\0" in name or text.startswith("/") or re.match(r"[A-Za-z]:", text):
        return False
    parts = _parts(member)
    return ".." not in parts and bool(parts) and not (member.is_dir() and member.file_size)


def _parts(member: zipfile.ZipInfo) -> tuple[str, ...]:
    """Folders and name. Some programs for Windows write backslashes."""
    names = member.orig_filename.replace("\\", "/").split("/")
    return tuple(name for name in names if name not in ("", "."))


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    with opened.open(member) as source, target.open("xb") as file:
        for number, chunk in enumerate(_chunks(source)):
            dicom = chunk[MAGIC_AT : MAGIC_AT + 4] == b"DICM"
            if number == 0 and is_archive(chunk) and not dicom:
                raise _unsafe("it contains another archive")
            file.write(chunk)


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        yield chunk


def _unreadable(detail: str) -> Refusal:
    return Refusal(Finding(Code.ARCHIVE_UNREADABLE, detail))


def _unsafe(detail: str) -> Refusal:
    return Refusal(Finding(Code.ARCHIVE_UNSAFE, detail))
