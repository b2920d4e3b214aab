"""metadata.json: what the network reads, its labels, its version and its licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import shown
from oarflow.importing.numbers import MOST_TEXT, part, text, whole

MOST_HEADS = 256

FORMAT = "metadata.json: network_data_format"
CHANNELS = f"{FORMAT}.outputs.channel_def"


@dataclass(frozen=True)
class BundleFacts:
    """What a bundle says about its network.

    channels: name of each output channel, as far as it has one. heads: number of output channels;
    None: not stated. licence: of the network; "" where not stated.
    """

    name: str
    version: str
    channels: Mapping[int, str]
    heads: int | None
    licence: str

    def names(self, heads: int) -> dict[int, str]:
        """A name for each label. heads: 1 for a network of one structure without a background."""
        if heads == 1:
            name = self.channels.get(1 if len(self.channels) == 2 else 0, "label 1")
            return {1: name}
        return {label: self.channels.get(label, f"label {label}") for label in range(1, heads)}

    def structures(self, heads: int) -> dict[str, tuple[int, ...]]:
        """The labels by their names. Raises NotImportedError where two have the same name."""
        names = self.names(heads)
        found: dict[str, tuple[int, ...]] = {name: (label,) for label, name in names.items()}
        if len(found) != len(names):
            twice = next(name for name in names.values() if list(names.values()).count(name) > 1)
            raise NotImportedError(
                f"{CHANNELS} names two channels {shown(twice)}: give each a name of its own"
            )
        return found


def facts(document: Mapping[str, Any]) -> BundleFacts:
    """The facts of metadata.json. Raises NotImportedError."""
    layout = part(FORMAT, document.get("network_data_format"), dict)
    _check_input(part(f"{FORMAT}.inputs", layout.get("inputs"), dict))
    outputs = part(f"{FORMAT}.outputs", layout.get("outputs"), dict)
    if len(outputs) != 1:
        raise NotImportedError(
            f"the network has {len(outputs)} outputs; OARflow imports networks with one"
        )
    output = part(f"{FORMAT}.outputs", next(iter(outputs.values())), dict)
    stated = output.get("num_channels")
    return BundleFacts(
        name=text("name", document.get("name", "")),
        version=text("version", document.get("version", "")),
        channels=_channels(output.get("channel_def") or {}),
        heads=None if stated is None else whole("num_channels", stated, 1, MOST_HEADS),
        licence=_licence(document),
    )


def _check_input(inputs: Mapping[str, Any]) -> None:
    if len(inputs) != 1:
        raise NotImportedError(
            f"the network has {len(inputs)} inputs; OARflow imports networks of one CT"
        )
    image = part(f"{FORMAT}.inputs", next(iter(inputs.values())), dict)
    channels = image.get("num_channels", 1)
    if channels != 1:
        raise NotImportedError(
            f"the network reads {shown(channels)} channels; OARflow imports networks of one CT"
            " channel"
        )
    modality = image.get("modality")
    if str(modality).upper() != "CT":
        raise NotImportedError(f"the network reads {shown(modality)}, not CT")


def _channels(stated: Any) -> dict[int, str]:
    found = {}
    for number, name in part(CHANNELS, stated, dict).items():
        if not str(number).isdecimal() or int(number) >= MOST_HEADS:
            raise NotImportedError(f"{CHANNELS} has {shown(number)}, which is no channel's number")
        found[int(number)] = text(CHANNELS, name)
    return found


def _licence(document: Mapping[str, Any]) -> str:
    """The licence's name, or else the copyright; what is no short text is left out."""
    for key in ("license", "licence", "copyright"):
        stated = document.get(key)
        if isinstance(stated, str) and stated.isprintable() and 0 < len(stated) <= MOST_TEXT:
            return stated
    return ""
