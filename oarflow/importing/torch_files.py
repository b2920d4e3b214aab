"""Files that torch.save wrote, read without running anything that is in them."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import shown

MOST_BYTES = 4 * 2**30
"""Greatest size of a file: the largest stock network has 0.4 GB of weights, three times with its
optimizer."""

MOST_ENTRIES = 20_000
MOST_PICKLE_BYTES = 16 * 2**20


def read_torch_file(path: Path, resave: str, allowed: Sequence[Any] = ()) -> Any:
    """The tensors and plain values of a file.

    resave: how to save the file again, for the message. allowed: classes beyond torch's own list,
    as `torch.serialization.safe_globals` takes them.
    Raises NotImportedError, OSError.
    """
    check_archive(path, resave)
    try:
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError) as error:
        reason = _reason(path, error, resave, allowed)
        raise NotImportedError(f"{path.name} is refused: {reason}") from None


def check_archive(path: Path, resave: str) -> None:
    """Refuse what torch did not write, before it is unpacked. Raises NotImportedError, OSError."""
    if path.stat().st_size > MOST_BYTES:
        raise NotImportedError(f"{path.name} is larger than {MOST_BYTES // 2**30} GB: {resave}")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile:
        raise NotImportedError(f"{path.name} is no archive of torch: {resave}") from None
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ENTRIES or unpacked > path.stat().st_size:
        raise NotImportedError(
            f"{path.name} would unpack to {unpacked / 2**20:.0f} MiB in {len(entries)} entries,"
            f" more than torch writes: {resave}"
        )
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            raise NotImportedError(f"{path.name} has compressed entries: {resave}")
        if entry.filename.endswith(".pkl") and entry.file_size > MOST_PICKLE_BYTES:
            raise NotImportedError(f"{path.name} holds an oversized list of objects: {resave}")


def _reason(path: Path, error: Exception, resave: str, allowed: Sequence[Any]) -> str:
    """What the file asks for beyond the list, without running it."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:
        names = []
    strange = sorted(set(names) - {_name(item) for item in allowed})
    if strange:
        return f"it asks for {shown(', '.join(strange))}, which no network needs; {resave}"
    return f"it cannot be read ({type(error).__name__}); {resave}"


def _name(item: Any) -> str:
    """The global's name in a file."""
    return item[1] if isinstance(item, tuple) else f"{item.__module__}.{item.__qualname__}"
