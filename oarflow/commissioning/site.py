"""A site's folder of commissioning records, one for each network, named by its SHA-256."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from oarflow.commissioning.record import NetworkRecord, RecordError, read_network_record
from oarflow.commissioning.shipped import is_shipped
from oarflow.errors import ConfigurationError
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.shown import shown
from oarflow.version import __version__

if TYPE_CHECKING:
    from oarflow.commissioning.signature import PublicKey
    from oarflow.structures import Segmentation

MAX_REASON = 200
"""Characters of a flag's reason, which may hold text of a record."""


@dataclass(frozen=True)
class NetworkStanding:
    """A network at a site.

    card_sha256: of the card with which it runs. record: None without a valid one. trouble: why the
    record's file is not valid.
    """

    card_sha256: str
    shipped: bool = False
    record: NetworkRecord | None = None
    trouble: str = ""

    @property
    def words(self) -> str:
        """Whether it is commissioned, for people."""
        if self.record is not None:
            return f"yes, {self.record.made.date()}, by {shown(self.record.signed_by)}"
        if self.trouble:
            return f"record not valid: {shown(self.trouble)}"
        return "no (shipped with OARflow)" if self.shipped else "no"

    def doubt(self, organ: str) -> str:
        """Why an organ's contours are not commissioned here; empty where they are, or shipped."""
        if self.shipped:
            return ""
        if self.record is not None:
            return self.record.why_not(organ, self.card_sha256)
        return f"its record is not valid: {self.trouble}" if self.trouble else "it has no record"


@dataclass(frozen=True)
class SiteRecords:
    """The records of a site. folder: None where the settings name none.

    key: if there is one, only records that are signed with it are valid.
    """

    folder: Path | None = None
    key: PublicKey | None = None

    @classmethod
    def open(cls, folder: Path | None, key: Path | None) -> SiteRecords:
        """The records of a folder. Raises ConfigurationError SETTINGS."""
        if folder is not None and not folder.is_dir():
            raise ConfigurationError("SETTINGS", f"commissioned: {folder} is not a folder")
        if key is None:
            return cls(folder)
        from oarflow.commissioning.signature import PublicKey

        try:
            return cls(folder, PublicKey.read(key))
        except (OSError, ValueError) as error:
            raise ConfigurationError("SETTINGS", f"commissioned_key: {key}: {error}") from error

    def standing(self, sha256: str, card_sha256: str) -> NetworkStanding:
        """Whether a network is commissioned, and why a record of it is not valid.

        sha256: of its file. card_sha256: `ModelCard.digest`.
        """
        shipped = is_shipped(sha256, card_sha256)
        if self.folder is None:
            return NetworkStanding(card_sha256, shipped)
        try:
            record = read_network_record(record_path(self.folder, sha256))
            self._check(record, sha256, card_sha256)
        except FileNotFoundError:
            return NetworkStanding(card_sha256, shipped)
        except RecordError as error:
            return NetworkStanding(card_sha256, shipped, trouble=str(error))
        return NetworkStanding(card_sha256, shipped, record)

    def _check(self, record: NetworkRecord, sha256: str, card_sha256: str) -> None:
        if record.network_sha256 != sha256:
            raise RecordError("it belongs to another network")
        if card_sha256 not in {verdict.card_sha256 for verdict in record.organs}:
            raise RecordError("the network's card was changed since")
        if record.version != __version__:
            raise RecordError(f"OARflow {record.version} was measured, this is {__version__}")
        if self.key is not None:
            self.key.check(record)

    def flagged(self, item: Segmentation) -> Segmentation:
        """The organ with a flag, if a network contoured it that is not commissioned for it."""
        from oarflow.structures import Status

        if item.model is None or item.model.rule or not item.status.written:
            return item
        doubt = self.standing(item.model.sha256, item.model.card_sha256).doubt(item.organ)
        if not doubt:
            return item
        reason = shown(doubt)[:MAX_REASON]
        flag = Flag.of(FlagCode.NOT_COMMISSIONED, network=item.model.name, reason=reason)
        return replace(item, status=Status.SUSPICIOUS, flags=(*item.flags, flag))


def record_path(folder: Path, sha256: str) -> Path:
    """Where the record of a network is."""
    return folder / f"{sha256}.json"


def write_record(folder: Path, record: NetworkRecord) -> None:
    """Write a record; an older one of the network is replaced. Raises OSError."""
    handle, name = tempfile.mkstemp(prefix=".oarflow-", dir=folder)
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(record.as_json())
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)  # the application may run as another user
        part.replace(record_path(folder, record.network_sha256))
    finally:
        part.unlink(missing_ok=True)


def require_writable(folder: Path) -> None:
    """Make the folder, and prove that records can be written. Raises ConfigurationError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=".oarflow-", dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            "OUTPUT_NOT_WRITABLE",
            f"the folder of commissioning records {folder} cannot be written: {error.strerror}",
        ) from error
