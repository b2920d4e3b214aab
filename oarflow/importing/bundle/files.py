"""The files of a bundle's folder, read with limits and without following links out of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oarflow.importing.errors import NotImportedError
from oarflow.importing.numbers import part
from oarflow.json_files import JsonError, read_json
from oarflow.yaml_files import YamlError, read_yaml

METADATA = "configs/metadata.json"
CONFIGURATIONS = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
WEIGHTS = "models/model.pt"
TORCHSCRIPT = "models/model.ts"

MOST_CONFIGURATION_BYTES = 4 * 2**20
"""Greatest size of a configuration. The largest one of MONAI's model zoo has some 10 kB."""


@dataclass(frozen=True, eq=False)
class BundleFiles:
    """The documents of a bundle, and the file of its network.

    digests: SHA-256 of every file that is used, by its path within the folder.
    """

    folder: Path
    metadata: Mapping[str, Any]
    configuration: Mapping[str, Any]
    network: Path
    digests: Mapping[str, str]

    @property
    def scripted(self) -> bool:
        """Whether the network is TorchScript."""
        return self.network.name == Path(TORCHSCRIPT).name


def read_files(folder: Path, *, torchscript: bool = False) -> BundleFiles:
    """The files of a bundle. The weights are taken if there are any.

    torchscript: take model.ts also where there is model.pt. Raises NotImportedError, OSError.
    """
    if not folder.is_dir():
        raise NotImportedError(f"{folder} is not a folder: name the folder of a MONAI bundle")
    stated = [name for name in CONFIGURATIONS if (folder / name).exists()]
    if len(stated) != 1:
        found = f"has {' and '.join(stated)}" if stated else f"has no {CONFIGURATIONS[0]} or .yaml"
        raise NotImportedError(f"{folder} {found}: name a bundle's folder with one of them")
    network = TORCHSCRIPT if torchscript or not (folder / WEIGHTS).exists() else WEIGHTS
    used = {name: _inside(folder, name) for name in (METADATA, stated[0], network)}
    return BundleFiles(
        folder=folder,
        metadata=_document(used[METADATA]),
        configuration=_document(used[stated[0]]),
        network=used[network],
        digests={name: _sha256(path) for name, path in used.items()},
    )


def _inside(folder: Path, name: str) -> Path:
    """A regular file of the folder itself; no part of its path below the folder is a link."""
    path = folder
    for step in Path(name).parts:
        path = path / step
        if path.is_symlink():
            raise NotImportedError(
                f"{name} is a symbolic link: copy the bundle's files with `cp -rL`"
            )
    if not path.is_file():
        raise NotImportedError(f"{folder} has no file {name}: name the folder of a MONAI bundle")
    return path


def _document(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > MOST_CONFIGURATION_BYTES:
        limit = MOST_CONFIGURATION_BYTES // 2**20
        raise NotImportedError(f"{path.name} is larger than {limit} MiB: remove what is not needed")
    try:
        document = read_json(path) if path.suffix == ".json" else read_yaml(path)
    except (JsonError, YamlError) as error:
        raise NotImportedError(f"{path.name} cannot be read: {error}") from None
    return part(path.name, document, dict)


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
