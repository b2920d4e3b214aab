"""The record of each network for the site's folder, from the record of the whole commissioning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from oarflow.commissioning.record import NetworkRecord, OrganVerdict, Person
from oarflow.commissioning.signature import SigningKey
from oarflow.commissioning.site import require_writable, write_record
from oarflow.errors import ConfigurationError
from oarflow.evaluation.commissioning.record import CommissioningRecord
from oarflow.networks.cards import Card, read_cards


@dataclass(frozen=True)
class Release:
    """Where records of networks go, and who signs them.

    cards: those of the networks that are measured, by folder. key: None writes no signature.
    """

    folder: Path
    cards: Mapping[str, Card]
    signed_by: str
    key: SigningKey | None = None

    @classmethod
    def prepare(
        cls, folder: Path, models: Path, signed_by: str | None, key: Path | None
    ) -> Release:
        """Check everything that may fail before hours of measuring.

        Raises ConfigurationError: USAGE, OUTPUT_NOT_WRITABLE, NO_MODELS, MODEL_CARD.
        """
        try:
            person = TypeAdapter[str](Person).validate_python(signed_by)
        except ValidationError:
            raise ConfigurationError(
                "USAGE", "records are written (setting `commissioned`): give --signed-by NAME"
            ) from None
        require_writable(folder)
        try:
            signing = None if key is None else SigningKey.read(key)
        except (OSError, ValueError) as error:
            raise ConfigurationError("USAGE", f"--key {key}: {error}") from error
        return cls(folder, read_cards(models), person, signing)

    def write(self, record: CommissioningRecord) -> int:
        """Write a record for every network that contours. Returns their number. Raises OSError."""
        made = list(self.records(record))
        for one in made:
            write_record(self.folder, one)
        return len(made)

    def records(self, record: CommissioningRecord) -> Iterator[NetworkRecord]:
        """The records, with their digests and signatures."""
        networks = {one.sha256: one for one in record.networks}
        for network in networks.values():
            verdicts = tuple(self._verdicts(record, network.sha256))
            if not verdicts:
                continue
            made = NetworkRecord(
                made=datetime.fromisoformat(record.made),
                clinic=record.clinic,
                signed_by=self.signed_by,
                version=record.version,
                network=network.name,
                network_version=network.version,
                network_sha256=network.sha256,
                organs=verdicts,
                record_sha256=record.sha256,
            ).sealed()
            yield made if self.key is None else self.key.signed(made)

    def _verdicts(self, record: CommissioningRecord, sha256: str) -> Iterator[OrganVerdict]:
        for one in record.decisions:
            if one.network is not None and one.network.sha256 == sha256:
                yield OrganVerdict(
                    organ=one.organ,
                    card_sha256=self.cards[one.network.folder].digest,
                    passed=one.allowed,
                    reasons=one.reasons,
                )
