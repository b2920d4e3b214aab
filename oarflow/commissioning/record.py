"""The commissioning record of one network: which organs passed at a site, when, and who signed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from oarflow.json_files import JsonError, read_json
from oarflow.settings_files import explain
from oarflow.version import __version__

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Person = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\n]+$")
]


class RecordError(ValueError):
    """A file that is no valid record; the message says why."""


class _RecordPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OrganVerdict(_RecordPart):
    """Whether one organ met the site's limits. reasons: why it did not.

    card_sha256: of all on the measured card that changes contours (`ModelCard.digest`).
    """

    organ: str
    card_sha256: Sha256
    passed: bool
    reasons: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> OrganVerdict:
        if self.passed == bool(self.reasons):
            raise ValueError("an organ that did not pass, and no other, has reasons")
        return self


class NetworkRecord(_RecordPart):
    """The whole document.

    made: when the organs were judged. version: of the OARflow that was measured. network_sha256: of
    the network's file; it may have several cards. record_sha256: of the whole commissioning
    (record.json). sha256: over the fields before it, see `digest`. signature: of that digest,
    base64; empty without a key.
    """

    kind: Literal["oarflow-network-commissioning"] = "oarflow-network-commissioning"
    schema_version: Literal["1.0"] = "1.0"
    made: AwareDatetime
    clinic: str
    signed_by: Person
    version: str = __version__
    network: str
    network_version: str
    network_sha256: Sha256
    organs: tuple[OrganVerdict, ...] = Field(min_length=1)
    record_sha256: Sha256
    sha256: str = ""
    signature: str = ""

    @property
    def digest(self) -> str:
        """sha256 (hex) over the JSON without digest and signature, keys sorted, no spaces."""
        plain = self.model_dump(mode="json", exclude={"sha256", "signature"})
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def sealed(self) -> NetworkRecord:
        """The record with its digest."""
        return self.model_copy(update={"sha256": self.digest})

    def as_json(self) -> str:
        """The file's text."""
        return json.dumps(self.model_dump(mode="json"), indent=2) + "\n"

    def why_not(self, organ: str, card_sha256: str) -> str:
        """Why the record does not cover an organ; empty where it passed with this card."""
        for verdict in self.organs:
            if (verdict.organ, verdict.card_sha256) == (organ, card_sha256):
                return f"it did not pass: {'; '.join(verdict.reasons)}" if verdict.reasons else ""
        return "it was not measured"


def read_network_record(path: Path) -> NetworkRecord:
    """A record as it was made. Raises FileNotFoundError, RecordError."""
    try:
        found = NetworkRecord.model_validate(read_json(path))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RecordError(f"it cannot be read: {error.strerror}") from error
    except JsonError as error:
        raise RecordError(f"it is no JSON: {error}") from error
    except ValidationError as error:
        said = explain(error, NetworkRecord)
        raise RecordError(f"it is no record of a network: {said}") from error
    if found.digest != found.sha256:
        raise RecordError("it was changed after it was made")
    return found
