"""Image archives without an engine: layers laid over one another, as `docker save` or OCI has them.

Layers are read as streams; only small files of the package itself are kept.
"""

from __future__ import annotations

import json
import stat
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from oarflow.errors import ConfigurationError

_KEPT = ("etc/holoscan/", "etc/monai/", "opt/holoscan/", "var/holoscan/")
_KEPT_BYTES = 2**20
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_TYPES = {
    tarfile.REGTYPE: stat.S_IFREG,
    tarfile.AREGTYPE: stat.S_IFREG,
    tarfile.LNKTYPE: stat.S_IFREG,
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
}


@dataclass(frozen=True)
class ImageFile:
    """A file. mode: type and permissions. link: where a symbolic link points. content: its bytes,
    for a regular file that was kept."""

    mode: int
    uid: int
    gid: int
    size: int
    link: str | None
    content: Callable[[], bytes] | None

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def permissions(self) -> int:
        return stat.S_IMODE(self.mode)


def is_archive(path: Path) -> bool:
    """Whether path is an OCI layout's folder or a tar file."""
    return path.is_dir() or tarfile.is_tarfile(path)


def read_archive(path: Path) -> tuple[dict[str, ImageFile], dict[str, Any]]:
    """All files of an image and its configuration, annotations added to the labels.

    Raises ConfigurationError TARGET where it is not one image.
    """
    try:
        if path.is_dir():
            return _read(lambda name: (path / name).open("rb"))
        with tarfile.open(path) as archive:
            return _read(partial(_member, archive))
    except (KeyError, ValueError, TypeError, IndexError, OSError, tarfile.TarError) as error:
        raise ConfigurationError("TARGET", f"{path} is no image archive") from error


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    for known in (name, f"./{name}"):
        try:
            stream = archive.extractfile(known)
        except KeyError:
            continue
        if stream is not None:
            return stream
    raise FileNotFoundError(name)


def _read(opened: Callable[[str], IO[bytes]]) -> tuple[dict[str, ImageFile], dict[str, Any]]:
    try:
        manifest = _json(opened, "manifest.json")[0]
        config_name, layers = manifest["Config"], manifest["Layers"]
        annotations: dict[str, str] = {}
    except FileNotFoundError:
        config_name, layers, annotations = _oci(opened)
    config = dict(_json(opened, config_name).get("config") or {})
    config["Labels"] = {**annotations, **(config.get("Labels") or {})}
    entries: dict[str, ImageFile] = {}
    for layer in layers:
        with opened(layer) as stream, tarfile.open(fileobj=stream, mode="r|*") as files:
            _lay_over(entries, files)
    return entries, config


def _oci(opened: Callable[[str], IO[bytes]]) -> tuple[str, list[str], dict[str, str]]:
    document = _json(opened, "index.json")
    while "layers" not in document:
        document = _json(opened, _blob(document["manifests"][0]))
    names = [_blob(layer) for layer in document["layers"]]
    return _blob(document["config"]), names, document.get("annotations") or {}


def _blob(descriptor: dict[str, Any]) -> str:
    algorithm, digest = descriptor["digest"].split(":")
    return f"blobs/{algorithm}/{digest}"


def _json(opened: Callable[[str], IO[bytes]], name: str) -> Any:
    with opened(name) as stream:
        return json.loads(stream.read())


def _lay_over(entries: dict[str, ImageFile], files: tarfile.TarFile) -> None:
    for member in files:
        name = member.name.removeprefix("./").strip("/")
        folder, _, last = name.rpartition("/")
        if last == _OPAQUE:
            _remove_below(entries, folder)
        elif last.startswith(_WHITEOUT):
            gone = f"{folder}/{last.removeprefix(_WHITEOUT)}".strip("/")
            entries.pop(gone, None)
            _remove_below(entries, gone)
        elif name:
            entries[name] = _entry(files, member, name)


def _remove_below(entries: dict[str, ImageFile], folder: str) -> None:
    for name in [name for name in entries if name.startswith(f"{folder}/")]:
        del entries[name]


def _entry(files: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> ImageFile:
    content = None
    if member.isreg() and name.startswith(_KEPT) and member.size <= _KEPT_BYTES:
        stream = files.extractfile(member)
        kept = b"" if stream is None else stream.read()
        content = partial(bytes, kept)
    return ImageFile(
        _TYPES.get(member.type, 0) | member.mode,
        member.uid,
        member.gid,
        member.size,
        member.linkname if member.issym() else None,
        content,
    )
