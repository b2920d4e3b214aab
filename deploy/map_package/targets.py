"""What the linter looks at: the files of an image and its configuration, wherever they come from.

A package's files are read without running anything of it.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from deploy.map_package.archives import ImageFile, is_archive, read_archive
from deploy.map_package.manifests import read_source, write_manifests
from oarflow.errors import ConfigurationError

Kind = Literal["root file system", "image", "source tree"]

_LINKS = 8
"""Symbolic links followed one after the other before a path counts as absent."""


@dataclass(frozen=True)
class Target:
    """A package.

    entries: by path without leading slash. config: the image's configuration (Env, User, Cmd,
    Entrypoint, Labels, WorkingDir); None where it is not known.
    """

    kind: Kind
    entries: Mapping[str, ImageFile]
    config: Mapping[str, Any] | None

    def find(self, path: str) -> ImageFile | None:
        """The entry at an absolute path, symbolic links followed; None where there is none."""
        wanted = path.strip("/")
        for _ in range(_LINKS):
            entry = self.entries.get(wanted)
            if entry is not None and entry.link is None:
                return entry
            followed = self._follow(wanted)
            if followed is None:
                return None
            wanted = followed
        return None

    def text(self, path: str) -> str | None:
        """A small file's text; None where there is none or it is no UTF-8."""
        entry = self.find(path)
        if entry is None or entry.content is None:
            return None
        try:
            return entry.content().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def below(self, path: str) -> list[str]:
        """Paths of everything below a folder."""
        start = path.strip("/") + "/"
        return sorted(name for name in self.entries if name.startswith(start))

    @property
    def environment(self) -> dict[str, str]:
        """The image's own variables."""
        pairs = (self.config or {}).get("Env") or ()
        return dict(str(pair).split("=", 1) for pair in pairs if "=" in str(pair))

    @property
    def labels(self) -> dict[str, str]:
        return dict((self.config or {}).get("Labels") or {})

    def _follow(self, wanted: str) -> str | None:
        parts = wanted.split("/")
        for end in range(1, len(parts) + 1):
            head = "/".join(parts[:end])
            entry = self.entries.get(head)
            if entry is not None and entry.link is not None:
                base = "/" if entry.link.startswith("/") else "/" + "/".join(parts[: end - 1])
                joined = os.path.normpath("/".join([base, entry.link, *parts[end:]]))
                return joined.strip("/")
        return None


@contextmanager
def open_target(path: Path, config: Path | None = None) -> Iterator[Target]:
    """Look at a package. Raises ConfigurationError TARGET where path is none."""
    if (path / "etc").is_dir():
        yield Target("root file system", _walk(path), _read_config(config))
    elif path.is_file() or (path / "oci-layout").is_file():
        if not is_archive(path):
            raise ConfigurationError("TARGET", f"{path} is no docker or OCI image archive")
        entries, found = read_archive(path)
        yield Target("image", entries, found)
    elif (path / "app.yaml").is_file() and (path / "Dockerfile").is_file():
        with tempfile.TemporaryDirectory() as folder:
            yield _from_source(path, Path(folder))
    else:
        raise ConfigurationError(
            "TARGET", f"{path} is no root file system, image archive or source tree"
        )


def _from_source(path: Path, folder: Path) -> Target:
    """The image that the Dockerfile lays out, as far as the source says."""
    write_manifests(read_source(path), folder / "etc" / "holoscan")
    places = {
        "opt/holoscan/app/app.yaml": path / "app.yaml",
        "opt/holoscan/app/__main__.py": path / "deploy" / "image_main.py",
        "opt/holoscan/app/entrypoint": path / "deploy" / "entrypoint",
        "opt/holoscan/docs/README.md": path / "README.md",
        "var/holoscan/app.yaml": path / "app.yaml",
    }
    entries = {
        name: ImageFile(entry.mode, 0, 0, entry.size, entry.link, entry.content)
        for name, entry in _walk(folder).items()
    }
    for name, file in places.items():
        if file.is_file():
            mode = 0o755 if os.access(file, os.X_OK) else 0o644
            entries[name] = ImageFile(stat.S_IFREG | mode, 0, 0, 0, None, file.read_bytes)
    for card in path.glob("models/*/model.json"):
        name = f"opt/holoscan/models/{card.parent.name}"
        entries[name] = ImageFile(stat.S_IFDIR | 0o755, 0, 0, 0, None, None)
    for name in ("", "/input", "/output", "/logs"):
        entries[f"var/holoscan{name}"] = ImageFile(stat.S_IFDIR | 0o775, 0, 0, 0, None, None)
    return Target("source tree", entries, None)


def _walk(root: Path) -> dict[str, ImageFile]:
    entries = {}
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(folder) / name
            facts = path.lstat()
            link = str(path.readlink()) if stat.S_ISLNK(facts.st_mode) else None
            entries[path.relative_to(root).as_posix()] = ImageFile(
                facts.st_mode,
                facts.st_uid,
                facts.st_gid,
                facts.st_size,
                link,
                path.read_bytes if stat.S_ISREG(facts.st_mode) else None,
            )
    return entries


def _read_config(path: Path | None) -> Mapping[str, Any] | None:
    if path is None:
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError("TARGET", f"{path} is no JSON file") from error
    first = document[0] if isinstance(document, list) and document else document
    if not isinstance(first, dict):
        raise ConfigurationError("TARGET", f"{path} is no image configuration")
    for key in ("Config", "config"):
        if isinstance(first.get(key), dict):
            found: dict[str, Any] = first[key]
            return found
    return first
