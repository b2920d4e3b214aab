"""Settings of the section `pull`: the PACS that the node asks for studies."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from oarflow.node.settings.fields import Peer, Section, WebSignIn


class DicomWeb(WebSignIn):
    """A PACS by DICOMweb."""

    url: str = Field(pattern=r"^https?://", repr=False)
    """The URL of the service, before `/studies`."""


class PullSource(Section):
    """An entry of the section `pull`: a PACS that the node asks for studies, by name."""

    peer: Peer | None = None
    """The PACS by DIMSE."""
    dicomweb: DicomWeb | None = None
    """The PACS by DICOMweb. Give either `peer` or `dicomweb`."""
    method: Literal["move", "get"] = "get"
    """How images are fetched by DIMSE: C-GET or C-MOVE."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.peer is None) == (self.dicomweb is None):
            raise ValueError("give either peer or dicomweb")
        return self
