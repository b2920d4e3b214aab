"""The models folder: which organs it can do, and its networks, loaded when first used."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from oarflow.errors import ConfigurationError
from oarflow.networks.backend import TorchScriptNetwork, choose_device, file_sha256
from oarflow.networks.card import CARD_NAME, NETWORK_NAME, ModelCard, Role, read_card
from oarflow.structures import ModelIdentity


@dataclass(frozen=True, eq=False)
class ModelStore:
    """All cards of a models folder, checked; networks are loaded once, at first use.

    cards: by the name of the model's own folder. device: cuda or cpu.
    """

    folder: Path
    cards: dict[str, ModelCard]
    device: str
    _loaded: dict[str, TorchScriptNetwork] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        folder: Path,
        trusted: frozenset[str] | None = None,
        device: str = "auto",
        threads: int | None = None,
    ) -> ModelStore:
        """Read every <model>/model.json and check every network file against its card.

        trusted: sha256 (hex) of the networks that may be loaded; None trusts the cards.
        Raises ConfigurationError: NO_MODELS, MODEL_CARD, MODEL_MISSING, MODEL_HASH, MODEL_CLASH
        (two segmenters for one organ, or two localizers), DEVICE.
        """
        if not folder.is_dir():
            raise ConfigurationError("NO_MODELS", f"there is no models folder {folder}")
        cards = {
            path.parent.name: read_card(path) for path in sorted(folder.glob(f"*/{CARD_NAME}"))
        }
        if not cards:
            raise ConfigurationError("NO_MODELS", f"{folder} holds no <model>/{CARD_NAME}")
        for name, card in cards.items():
            _check_file(folder / name / NETWORK_NAME, card, trusted)
        _check_roles(cards)
        if threads is not None:
            torch.set_num_threads(threads)
        return cls(folder, cards, choose_device(device))

    @property
    def localizer(self) -> TorchScriptNetwork:
        """The localizer. Raises ConfigurationError NO_LOCALIZER where there is none."""
        for name, card in self.cards.items():
            if card.role is Role.LOCALIZER:
                return self._network(name)
        raise ConfigurationError("NO_LOCALIZER", f"{self.folder} holds no localizer")

    @property
    def organs(self) -> tuple[str, ...]:
        """Organs that have a segmenter, each once."""
        segmenters = (card for card in self.cards.values() if card.role is Role.SEGMENTER)
        return tuple(dict.fromkeys(organ for card in segmenters for organ in card.organs))

    @property
    def identities(self) -> dict[str, ModelIdentity]:
        """Which network does each organ."""
        return {organ: self.cards[self._segmenter(organ)].identity for organ in self.organs}

    def segmenter(self, organ: str) -> TorchScriptNetwork:
        """The network of an organ that `organs` lists; KeyError for any other."""
        return self._network(self._segmenter(organ))

    def card(self, organ: str) -> ModelCard:
        """The card of an organ that `organs` lists; KeyError for any other."""
        return self.cards[self._segmenter(organ)]

    def _segmenter(self, organ: str) -> str:
        for name, card in self.cards.items():
            if card.role is Role.SEGMENTER and organ in card.organs:
                return name
        raise KeyError(organ)

    def _network(self, name: str) -> TorchScriptNetwork:
        if name not in self._loaded:
            path = self.folder / name / NETWORK_NAME
            self._loaded[name] = TorchScriptNetwork(path, self.cards[name], self.device)
        return self._loaded[name]


def _check_file(path: Path, card: ModelCard, trusted: frozenset[str] | None) -> None:
    if file_sha256(path) != card.sha256:
        raise ConfigurationError("MODEL_HASH", f"{path} is not the file that its card names")
    if trusted is not None and card.sha256 not in trusted:
        raise ConfigurationError(
            "MODEL_HASH", f"{path} is not among the hashes that the settings trust"
        )


def _check_roles(cards: dict[str, ModelCard]) -> None:
    if sum(card.role is Role.LOCALIZER for card in cards.values()) > 1:
        raise ConfigurationError("MODEL_CLASH", "the models folder holds two localizers")
    seen: dict[str, str] = {}
    for name, card in cards.items():
        for organ in card.organs if card.role is Role.SEGMENTER else ():
            if organ in seen:
                raise ConfigurationError(
                    "MODEL_CLASH", f"both {seen[organ]} and {name} are segmenters of {organ}"
                )
            seen[organ] = name
