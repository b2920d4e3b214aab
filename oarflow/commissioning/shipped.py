"""The networks that OARflow brings, by SHA-256: `shipped.yaml` lists them, no card does."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from oarflow.settings_files import checked
from oarflow.structures import Commercial, NetworkSource
from oarflow.yaml_files import read_yaml

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
    commercial: Commercial
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


def shipped_source() -> NetworkSource:
    """Origin and licence of the networks that OARflow brings."""
    found = _shipped()
    return NetworkSource(found.origin, found.licence, found.commercial, shipped=True)
