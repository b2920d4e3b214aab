"""model.ts from elsewhere: TorchScript that can do nothing but compute.

TorchScript is code. It can write files, and some of it runs while the file is loaded. Three checks
come before the first run: the archive holds what torch writes, no source has a function that runs
outside of `forward`, and every operation of `forward` is on a list.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from oarflow.importing.bundle.operations import OPERATIONS
from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import shown
from oarflow.importing.torch_files import MOST_ENTRIES

MOST_BYTES = 2**30
"""Greatest size of a file. The largest network of MONAI's model zoo has less than half of it."""

MOST_SOURCE_BYTES = 16 * 2**20
"""Greatest size of an entry that is not a tensor, and of all compressed entries together."""

KEPT = re.compile(
    r"(?:data|constants)\.pkl|(?:data|constants)/\d+|version|byteorder|code/[\w/.]+\.py"
)
"""Entries that are loaded. Others, such as what a bundle's author added, are left out."""

HOOKS = (b"__setstate__", b"__getstate__", b"__forward_hooks__", b"__forward_pre_hooks__")
"""Functions that run when a file is loaded, or around `forward`."""

FOREIGN = re.compile(rb"torch\s*[.\n]\s*classes")
"""How classes written in C++ are named: in a pickle, a line may end between the words."""

EXPORT = "export the network again with torch.jit.trace, or give models/model.pt"


def load_torchscript(path: Path) -> torch.jit.ScriptModule:
    """The module of a file, on the CPU in single precision. Raises NotImportedError, OSError."""
    content = repacked(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module: torch.jit.ScriptModule = torch.jit.load(  # type: ignore[no-untyped-call]
                io.BytesIO(content), map_location="cpu"
            )
    except RuntimeError as error:
        reason = shown(str(error).strip().splitlines()[0])
        raise NotImportedError(f"{path.name} cannot be loaded ({reason}): {EXPORT}") from None
    check_operations(module, path.name)
    return module.float().eval()


def check_operations(module: torch.jit.ScriptModule, name: str) -> None:
    """Raise NotImportedError where `forward` has an operation that is not on the list."""
    if strange := sorted(set(_kinds(module.inlined_graph)) - OPERATIONS):
        raise NotImportedError(
            f"{name} uses {shown(strange[0])}, which is not on OARflow's list of operations of"
            f" networks: {EXPORT}"
        )


def repacked(path: Path) -> bytes:
    """The archive with the entries that are loaded, so that torch reads what was checked.

    Raises NotImportedError where it holds what torch does not write, or code that runs outside of
    `forward`.
    """
    if path.stat().st_size > MOST_BYTES:
        raise NotImportedError(f"{path.name} is larger than {MOST_BYTES // 2**30} GiB: {EXPORT}")
    content = io.BytesIO()
    try:
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(content, "w") as copy:
            for name, entry in _entries(archive, path.name):
                copy.writestr(f"archive/{name}", _checked(archive.read(entry), name, path.name))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as error:
        raise NotImportedError(
            f"{path.name} is no archive of torch ({type(error).__name__}): {EXPORT}"
        ) from None
    return content.getvalue()


def _entries(archive: zipfile.ZipFile, file: str) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """The entries that are kept, by their names below the archive's only folder."""
    entries = archive.infolist()
    names = [entry.filename.partition("/") for entry in entries]
    if len(entries) > MOST_ENTRIES or len({entry.filename for entry in entries}) < len(entries):
        raise NotImportedError(f"{file} has too many entries, or one twice: {EXPORT}")
    if len({root for root, _, _ in names}) != 1:
        raise NotImportedError(f"{file} is no archive of torch: {EXPORT}")
    packed = [entry for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
    every, larger = (sum(entry.file_size for entry in some) for some in (entries, packed))
    if larger > MOST_SOURCE_BYTES or every > MOST_BYTES + MOST_SOURCE_BYTES:
        raise NotImportedError(f"{file} would unpack to more than torch writes: {EXPORT}")
    for (_, _, name), entry in zip(names, entries, strict=True):
        if not KEPT.fullmatch(name):
            continue
        if "/" not in name and entry.file_size > MOST_SOURCE_BYTES:
            raise NotImportedError(f"{file} holds an oversized list of objects: {EXPORT}")
        yield name, entry


def _checked(content: bytes, name: str, file: str) -> bytes:
    found = [word.decode() for word in HOOKS if name.endswith(".py") and word in content]
    if name.endswith((".py", ".pkl")) and FOREIGN.search(content):
        found.append("torch.classes")
    if found:
        raise NotImportedError(
            f"{file} has {found[0]}, code that runs outside of the network: {EXPORT}"
        )
    return content


def _kinds(block: Any) -> Iterator[str]:
    """The operations of a graph and of the blocks within it."""
    for node in block.nodes():
        yield node.kind()
        for inner in node.blocks():
            yield from _kinds(inner)
