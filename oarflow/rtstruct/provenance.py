"""Provenance of a written file, and UIDs derived from it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydicom.uid import UID

from oarflow.structures import ModelIdentity
from oarflow.version import __version__
from oarflow.volume import Source

SOFTWARE = "OARflow"

IMPLEMENTATION_CLASS_UID = UID("2.25.206953316470935386155276103834846521871")
"""Implementation Class UID in file meta groups: a random UUID, drawn once."""


class Origin(StrEnum):
    """Origin of contours: ROI Generation Algorithm and Segment Algorithm Type (PS3.3)."""

    AUTOMATIC = "AUTOMATIC"
    SEMIAUTOMATIC = "SEMIAUTOMATIC"
    MANUAL = "MANUAL"


_DRAWN = {
    Origin.AUTOMATIC: "by a program",
    Origin.SEMIAUTOMATIC: "by a person with a program",
    Origin.MANUAL: "by hand",
}


@dataclass(frozen=True)
class Provenance:
    """Everything besides the input on which a result depends.

    settings_sha256: hex digest of the settings (see `settings_digest`). device: such as "cpu" or
    "cuda NVIDIA L4". models: all networks of the models folder. origin: of all regions without
    their own origin.
    """

    settings_sha256: str
    device: str
    models: tuple[ModelIdentity, ...] = ()
    version: str = __version__
    origin: Origin = Origin.AUTOMATIC

    def describe(self, source: Source, origins: Collection[Origin] = ()) -> str:
        """One paragraph for a DICOM text of 1,024 characters: no patient data, ASCII.

        origins: of the contours, if they differ from `origin`.
        """
        models = ", ".join(
            f"{model.name} {model.version} {model.sha256[:16]}" for model in self.models
        )
        text = (
            f"Contours {self._drawn(origins or (self.origin,))}, not approved, for research use "
            f"only. "
            f"Device: {self.device}. Input pixels sha256: {source.pixel_digest}. "
            f"Settings sha256: {self.settings_sha256}. Models: {models or 'none'}"
        )
        return ascii_text(text, 1024)

    def _drawn(self, origins: Collection[Origin]) -> str:
        if set(origins) == {Origin.AUTOMATIC} and self.models:
            return "by deep learning"
        return " and ".join(_DRAWN[origin] for origin in Origin if origin in origins)


def settings_digest(settings: Mapping[str, object]) -> str:
    """sha256 (hex) of settings, independent of the order of keys."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def derived_uid(*parts: str | bytes) -> UID:
    """A UID under 2.25 that depends only on all the parts."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return UID(f"2.25.{uuid.UUID(bytes=digest.digest()[:16], version=5).int}")


def run_uid(
    kind: str,
    source: Source,
    provenance: Provenance,
    when: datetime,
    content: Iterable[bytes] = (),
) -> UID:
    """The UID of an object (`kind`) of a run.

    It depends on input, networks, settings, version, device, run time and content, so that equal
    runs give equal UIDs.
    """
    return derived_uid(
        kind,
        source.study_uid,
        source.series_uid,
        source.frame_of_reference_uid,
        "\\".join(source.sop_instance_uids),
        source.pixel_digest,
        provenance.settings_sha256,
        provenance.version,
        provenance.device,
        "\\".join(model.sha256 for model in provenance.models),
        when.isoformat(),
        *([] if provenance.origin is Origin.AUTOMATIC else [provenance.origin]),
        *content,
    )


def ascii_text(text: str, limit: int) -> str:
    """Text for DICOM: ASCII, without backslash and control characters, cut to the limit."""
    plain = "".join(c if c.isascii() and c.isprintable() and c != "\\" else "?" for c in text)
    return plain[:limit].strip()
