"""Zip archives: what a folder is, within bounds; everything else has its reason."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from oarflow.errors import Code, Refusal
from oarflow.intake import read_volume
from oarflow.intake.archive import is_zip, unpack
from oarflow.intake.scan import scan
from tests.phantoms import make_series, write_series

Members = dict[str, bytes]
PLAIN: Members = {"CT/0001.dcm": os.urandom(3000), "CT/0002.dcm": os.urandom(3000)}


def packed(archive: Path, members: Members, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(archive, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return archive


def refused(archive: Path, folder: Path) -> Refusal:
    folder.mkdir()
    with pytest.raises(Refusal) as caught:
        unpack(archive, folder)
    return caught.value


def inner(kind: str) -> bytes:
    """A small archive of a kind."""
    content = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(content, "w") as file:
            file.writestr("x", b"x")
    else:
        with tarfile.open(fileobj=content, mode=f"w:{kind.removeprefix('tar.')}") as tar:  # type: ignore[call-overload]
            tar.addfile(tarfile.TarInfo("x"), io.BytesIO())
    return content.getvalue()


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_every_method_of_the_library(method: int, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    unpack(packed(tmp_path / "a.zip", PLAIN, method), tmp_path / "out")
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(path.read_bytes() for path in written) == sorted(PLAIN.values())
    assert {path.suffix for path in written} == {".dcm"}
    assert not [path for path in written if "CT" in str(path.relative_to(tmp_path))]


def test_backslashes_of_windows_are_folders(tmp_path: Path) -> None:
    content = packed(tmp_path / "a.zip", PLAIN).read_bytes().replace(b"CT/000", b"CT\\000")
    (tmp_path / "b.zip").write_bytes(content)
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "b.zip", tmp_path / "out")
    assert len({path.parent for path in (tmp_path / "out").rglob("*.dcm")}) == 1


def test_a_lost_slice_is_lost_in_the_archive_too(tmp_path: Path) -> None:
    """An empty file that is named as the slices beside it: the same refusal as of the folder."""
    write_series(tmp_path / "ct", make_series())
    for path in (tmp_path / "ct").iterdir():
        path.rename(path.with_suffix(""))
    slices = sorted((tmp_path / "ct").iterdir())
    slices[0].write_bytes(b"")
    archive = packed(tmp_path / "a.zip", {f"CT/{path.name}": path.read_bytes() for path in slices})
    (tmp_path / "out").mkdir()
    unpack(archive, tmp_path / "out")
    assert scan(tmp_path / "out").account == scan(tmp_path / "ct").account
    codes = []
    for folder in (tmp_path / "ct", tmp_path / "out"):
        with pytest.raises(Refusal) as caught:
            read_volume(folder)
        codes.append(caught.value.code)
    assert codes == [Code.UNREADABLE_FILE] * 2


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("name", ["CT/more.bin", "CT/0003.dcm", ".hidden"])
def test_an_archive_within(kind: str, name: str, tmp_path: Path) -> None:
    content = inner("tar." if kind == "tar" else kind)
    error = refused(packed(tmp_path / "a.zip", {**PLAIN, name: content}), tmp_path / "out")
    assert error.code is Code.ARCHIVE_UNSAFE


def test_a_slice_that_begins_as_an_archive_is_a_slice(tmp_path: Path) -> None:
    """What stands in the preamble of a DICOM file is free."""
    slice_ = b"PK\x03\x04".ljust(128, b"\0") + b"DICM" + os.urandom(2000)
    (tmp_path / "out").mkdir()
    unpack(packed(tmp_path / "a.zip", {"1.dcm": slice_}), tmp_path / "out")
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 1


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/x",
        "\\x",
        "..\\x",
        "a\\..\\..\\x",
        "C:\\x",
        "c:x",
        "a\0b",
        "//h/x",
        "",
    ],
)
def test_a_path_that_leads_outside(name: str, tmp_path: Path) -> None:
    placeholder = "q" * max(1, len(name))
    content = packed(tmp_path / "a.zip", {**PLAIN, placeholder: b"x"}).read_bytes()
    if name:
        content = content.replace(placeholder.encode(), name.encode())
    else:  # no name at all
        content = packed(tmp_path / "a.zip", {**PLAIN, ".": b"x"}).read_bytes()
    (tmp_path / "b.zip").write_bytes(content)
    error = refused(tmp_path / "b.zip", tmp_path / "out")
    assert (error.code, list((tmp_path / "out").iterdir())) == (Code.ARCHIVE_UNSAFE, [])
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "b.zip", "out"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices(kind: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("1.dcm", PLAIN["CT/0001.dcm"])
        member = zipfile.ZipInfo("2.dcm")
        member.create_system, member.external_attr = 3, (kind | 0o644) << 16
        file.writestr(member, "/etc/passwd")
    error = refused(tmp_path / "a.zip", tmp_path / "out")
    assert error.code is Code.ARCHIVE_UNSAFE
    assert error.detail == "1 of 2 members are links or not regular files"


def flagged(content: bytes, bits: int) -> bytes:
    """Set general purpose bits of every member, in both of its headers."""
    found = bytearray(content)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := content.find(mark, start)) >= 0:
            found[start + at] |= bits
            start += 4
    return bytes(found)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    at = content.index(b"0001.dcm") + 1000
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


def unknown_method(content: bytes) -> bytes:
    found = bytearray(content)
    start = content.index(b"PK\x01\x02")
    found[start + 10 : start + 12] = struct.pack("<H", 97)
    first = content.index(b"PK\x03\x04")
    found[first + 8 : first + 10] = struct.pack("<H", 97)
    return bytes(found)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: flagged(content, 1),
        cut,
        flipped,
        unknown_method,
        lambda _: b"",
        lambda _: b"x",
    ],
    ids=["encrypted", "cut", "flipped", "unknown method", "empty", "no zip"],
)
def test_what_cannot_be_read(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    content = packed(tmp_path / "a.zip", PLAIN).read_bytes()
    (tmp_path / "b.zip").write_bytes(damage(content))
    assert refused(tmp_path / "b.zip", tmp_path / "out").code is Code.ARCHIVE_UNREADABLE


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_what_unpacks_to_far_more(method: int, tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", {"1.dcm": bytes(2**24)}, method)
    error = refused(archive, tmp_path / "out")
    assert error.code is Code.ARCHIVE_UNSAFE
    assert error.detail.endswith("times its size, more than 100")
    assert list((tmp_path / "out").iterdir()) == []


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(tmp_path / "a.zip", PLAIN)
    for number, (limit, value) in enumerate(
        (("MAX_FILES", 1), ("MAX_ARCHIVE_BYTES", 5999), ("MAX_DIRECTORY_BYTES", 50))
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"oarflow.intake.archive.{limit}", value)
            error = refused(archive, tmp_path / str(number))
        assert error.code is Code.ARCHIVE_UNSAFE
        assert str(value) in error.detail


def test_members_that_share_their_bytes(tmp_path: Path) -> None:
    """The list names one member twice, as bombs without recursion do."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("1.dcm", PLAIN["CT/0001.dcm"])
        file.filelist.append(file.filelist[0])
    assert refused(tmp_path / "a.zip", tmp_path / "out").code is Code.ARCHIVE_UNSAFE


def test_a_size_that_lies(tmp_path: Path) -> None:
    """The list says one byte; the member holds sixteen million."""
    content = bytearray(packed(tmp_path / "a.zip", {"1.dcm": bytes(2**24)}).read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 1)
    (tmp_path / "b.zip").write_bytes(content)
    assert refused(tmp_path / "b.zip", tmp_path / "out").code is Code.ARCHIVE_UNREADABLE
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file()) <= 1


def test_what_is_taken_for_an_archive(tmp_path: Path) -> None:
    assert is_zip(packed(tmp_path / "no suffix", PLAIN))
    assert is_zip(packed(tmp_path / "empty", {}))
    (tmp_path / "x.ZIP").write_bytes(b"no zip")
    assert is_zip(tmp_path / "x.ZIP")
    (tmp_path / "x.dcm").write_bytes(b"\0" * 200)
    assert not is_zip(tmp_path / "x.dcm")
    (tmp_path / "d.zip").mkdir()
    assert not is_zip(tmp_path / "d.zip")
    assert not is_zip(tmp_path / "none.zip")


def test_an_empty_archive_holds_no_files(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    unpack(packed(tmp_path / "a.zip", {}), tmp_path / "out")
    with pytest.raises(Refusal) as caught:
        read_volume(tmp_path / "out")
    assert caught.value.code is Code.NO_FILES
