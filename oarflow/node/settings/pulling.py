"""Settings of the section `pull`: the PACS that the node asks for studies."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from oarflow.node.settings.fields import Peer, Section, WebSignIn


class DicomWeb(WebSignIn):
    """A DICOMweb service."""

    url: str = Field(pattern=r"^https?://", repr=False)


class PullSource(Section):
    """A PACS that `pull` asks: DIMSE by peer, or DICOMweb. method: how images come by DIMSE."""

    peer: Peer | None = None
    dicomweb: DicomWeb | None = None
    method: Literal["move", "get"] = "get"

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.peer is None) == (self.dicomweb is None):
            raise ValueError("give either peer or dicomweb")
        return self
