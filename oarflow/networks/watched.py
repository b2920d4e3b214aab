"""A models folder that notes which of its networks were run: what a result owes to whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oarflow.networks.backend import TorchScriptNetwork
from oarflow.networks.card import ModelCard
from oarflow.networks.store import ModelStore


@dataclass(frozen=True, eq=False)
class WatchedStore(ModelStore):
    """A store for one study. ran: cards of the networks that gave an answer, first run first."""

    ran: dict[str, ModelCard] = field(default_factory=dict)

    @classmethod
    def of(cls, store: ModelStore) -> WatchedStore:
        """A watched view of a store; networks that either of both has loaded serve both."""
        return cls(store.folder, store.cards, store.device, store._loaded)

    def _network(self, name: str) -> TorchScriptNetwork:
        return _Watched(super()._network(name), lambda card: self.ran.setdefault(name, card))


class _Watched(TorchScriptNetwork):
    """A loaded network that tells of its runs."""

    def __init__(self, network: TorchScriptNetwork, tell: Callable[[ModelCard], object]) -> None:
        self.card = network.card
        self._network = network
        self._tell = tell

    def probabilities(
        self, batch: NDArray[np.float32], before_each: Callable[[], None] = lambda: None
    ) -> NDArray[np.float32]:
        found = self._network.probabilities(batch, before_each)
        self._tell(self.card)
        return found
