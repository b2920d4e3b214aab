"""Settings of the section `pull`: the PACS that the node asks for studies."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from oarflow.node.settings.fields import Peer, Section, WebSignIn


class DicomWeb(WebSignIn):
    """A DICOMweb service that the node asks."""

    url: str = Field(pattern=r"^https?://", repr=False)
    """Address of the service, without `/studies`."""


class PullSource(Section):
    """A system that `oarflow node pull` asks. It has either `peer` or `dicomweb`."""

    peer: Peer | None = None
    """A PACS that is asked by C-FIND."""
    dicomweb: DicomWeb | None = None
    """A PACS that is asked by DICOMweb."""
    method: Literal["move", "get"] = "get"
    """How a `peer` sends images: C-MOVE or C-GET."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.peer is None) == (self.dicomweb is None):
            raise ValueError("give either peer or dicomweb")
        return self
