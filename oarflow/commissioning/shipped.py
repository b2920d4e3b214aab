"""The networks that OARflow brings, by SHA-256: `shipped.yaml` lists them, no card does."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from oarflow.settings_files import checked
from oarflow.yaml_files import read_yaml

if TYPE_CHECKING:
    from oarflow.structures import NetworkOrigin

SHIPPED = Path(__file__).with_name("shipped.yaml")

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _ShippedNetwork(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    network: _Sha256
    card: _Sha256


class _ShippedNetworks(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: str
    licence: str
    commercial: Literal["yes", "no", "unknown"]
    networks: dict[str, _ShippedNetwork]


@cache
def _shipped() -> _ShippedNetworks:
    return checked(_ShippedNetworks, read_yaml(SHIPPED), SHIPPED.name)


def is_shipped(sha256: str, card_sha256: str) -> bool:
    """Whether OARflow brings a network with this card (`ModelCard.digest`)."""
    return any((one.network, one.card) == (sha256, card_sha256) for one in shipped_networks())


def shipped_networks() -> tuple[_ShippedNetwork, ...]:
    """The digests of every network and its card."""
    return tuple(_shipped().networks.values())


def shipped_source() -> NetworkOrigin:
    """Origin and licence of the networks that OARflow brings."""
    from oarflow.structures import NetworkOrigin

    found = _shipped()
    return NetworkOrigin(found.origin, found.licence, found.commercial, shipped=True)
