"""The models folder: its organs, its rules, and its networks, which are loaded on first use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from oarflow.errors import ConfigurationError
from oarflow.networks.backend import TorchScriptNetwork, choose_device
from oarflow.networks.card import NETWORK_NAME, ModelCard, Role, View
from oarflow.networks.cards import Card, check_file, read_cards
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.imported.network import ImportedNetwork
from oarflow.networks.rule_card import RuleCard, read_rules
from oarflow.structures import ModelIdentity


@dataclass(frozen=True, eq=False)
class ModelStore:
    """All cards of a models folder, checked. Each network is loaded once, on first use.

    A rule takes precedence over a network of the same organ, and any other network over an
    imported one, unless `preferred` says otherwise.

    cards: by the name of the network's folder. device: cuda or cpu. rules: cards of rules, by the
    name of their folder. preferred: by organ, the folder of the network that contours it.
    """

    folder: Path
    cards: dict[str, Card]
    device: str
    rules: dict[str, RuleCard] = field(default_factory=dict)
    preferred: Mapping[str, str] = field(default_factory=dict)
    _loaded: dict[str, TorchScriptNetwork] = field(default_factory=dict)
    _imported: dict[str, ImportedNetwork] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        folder: Path,
        trusted: frozenset[str] | None = None,
        device: str = "auto",
        threads: int | None = None,
        prefer: Mapping[str, str] | None = None,
    ) -> ModelStore:
        """Read every <network>/model.json and compare every network's file with its card.

        trusted: sha256 (hex) of the networks that may be loaded; None trusts the cards.
        prefer: see `preferring`.
        Raises ConfigurationError: NO_MODELS, MODEL_CARD, MODEL_MISSING, MODEL_HASH, MODEL_CLASH
        (two segmenters for one organ that both need an MR or both need none, two localizers,
        two imported networks for an organ that is not in `prefer`, two rules for one organ, organs
        whose regions depend on each other), NETWORK_CHOICE, DEVICE.
        """
        cards = read_cards(folder)
        for name, card in cards.items():
            check_file(folder / name / NETWORK_NAME, card, trusted)
        _check_localizers(cards)
        if threads is not None:
            torch.set_num_threads(threads)
        store = cls(folder, cards, choose_device(device), read_rules(folder))
        return store.preferring(prefer or {})

    def preferring(self, prefer: Mapping[str, str]) -> ModelStore:
        """The same networks with another choice among those of one organ.

        prefer: by organ, the network that contours it: its folder, or the name on its card.
        Raises ConfigurationError: NETWORK_CHOICE, MODEL_CLASH (see `open`).
        """
        preferred = {organ: self.network_of(organ, name) for organ, name in prefer.items()}
        ruled = {organ for card in self.rules.values() for organ in card.organs}
        _check_segmenters(self.cards, preferred, ruled)
        return replace(self, preferred=preferred)

    def network_of(self, organ: str, name: str) -> str:
        """The folder of a network that contours an organ. name: its folder, or that on its card.

        Raises ConfigurationError NETWORK_CHOICE where no network of that name contours the organ.
        """
        able = self._segmenters(organ)
        for folder in able:
            if name in (folder, self.cards[folder].name):
                return folder
        choice = f"choose from {', '.join(able)}" if able else "no network contours it"
        raise ConfigurationError(
            "NETWORK_CHOICE", f"{organ}: no network {name!r:.80} contours this organ; {choice}"
        )

    @property
    def localizer(self) -> TorchScriptNetwork:
        """The localizer. Raises ConfigurationError NO_LOCALIZER where there is none."""
        found = self._of(Role.LOCALIZER)
        if not found:
            raise ConfigurationError("NO_LOCALIZER", f"{self.folder} holds no localization network")
        return found[0]

    @property
    def fusion(self) -> TorchScriptNetwork | None:
        """The network that fuses the coarse views' maps, if the folder has one: its localizer."""
        found = self._of(Role.FUSION)
        return found[0] if found else None

    @property
    def sure_score(self) -> float:
        """The least score of a sure landmark, from the localizing network's card."""
        fusion = self.fusion
        return (self.localizer if fusion is None else fusion).card.sure_score

    @property
    def views(self) -> dict[View, TorchScriptNetwork]:
        """The coarse networks by the plane of their slices."""
        return {network.card.view: network for network in self._of(Role.VIEW) if network.card.view}

    @property
    def localizing_cards(self) -> tuple[ModelCard, ...]:
        """Cards of the networks that localize. Raises ConfigurationError NO_LOCALIZER."""
        fusion = self.fusion
        if fusion is None:
            return (self.localizer.card,)
        return (*(network.card for network in self.views.values()), fusion.card)

    def _of(self, role: Role) -> list[TorchScriptNetwork]:
        return [self._network(name) for name, card in self.cards.items() if card.role is role]

    @property
    def organs(self) -> tuple[str, ...]:
        """Organs with a segmenter or a rule, each once."""
        named = [card.organs for card in self.cards.values() if card.role is Role.SEGMENTER]
        named += [card.organs for card in self.rules.values()]
        return tuple(dict.fromkeys(organ for organs in named for organ in organs))

    @property
    def organs_by_default(self) -> tuple[str, ...]:
        """`organs` without those that a rule contours on request only."""
        return tuple(
            organ
            for organ in self.organs
            if (rule := self.rule(organ)) is None or not rule.on_request
        )

    def rule(self, organ: str) -> RuleCard | None:
        """The rule that contours an organ; None where a network does."""
        if organ in self.preferred:
            return None
        return next((card for card in self.rules.values() if organ in card.organs), None)

    @property
    def localized_organs(self) -> tuple[str, ...]:
        """Organs whose network reads a patch around a localization."""
        cards = {organ: self.card(organ) for organ in self.organs if self.rule(organ) is None}
        return tuple(
            organ
            for organ, card in cards.items()
            if isinstance(card, ImportedCard) or card.region_from.source == "localization"
        )

    @property
    def identities(self) -> dict[str, ModelIdentity]:
        """The rule or network of each organ."""
        return {organ: (self.rule(organ) or self.card(organ)).identity for organ in self.organs}

    @property
    def every_identity(self) -> tuple[ModelIdentity, ...]:
        """All networks and rules, by the names of their folders."""
        found = {name: card.identity for name, card in self.cards.items()}
        found |= {name: card.identity for name, card in self.rules.items()}
        return tuple(found[name] for name in sorted(found))

    @property
    def reads_mr(self) -> bool:
        """Whether any network reads an MR."""
        return any(card.reads_mr for card in self.cards.values())

    def network(self, card: ModelCard) -> TorchScriptNetwork:
        """The network of a card of this store."""
        return self._network(self._folder(card))

    def imported(self, card: ImportedCard) -> ImportedNetwork:
        """The network of an imported card of this store."""
        name = self._folder(card)
        if name not in self._imported:
            path = self.folder / name / NETWORK_NAME
            self._imported[name] = ImportedNetwork(path, card, self.device)
        return self._imported[name]

    def card(self, organ: str, *, mr: bool = False) -> Card:
        """The card of the network that contours an organ; KeyError for an organ without one.

        mr: whether the study has a usable MR. With one, a network that reads it is preferred;
        without one, a network that needs none, where the organ has one.
        """
        if organ in self.preferred:
            return self.cards[self.preferred[organ]]
        names = self._segmenters(organ)
        if not names:
            raise KeyError(organ)

        def rank(name: str) -> tuple[bool, bool]:
            card = self.cards[name]
            return isinstance(card, ImportedCard), not card.reads_mr if mr else card.needs_mr

        return self.cards[min(names, key=rank)]

    def _segmenters(self, organ: str) -> list[str]:
        """Folders of the networks that contour an organ."""
        return [
            name
            for name, card in self.cards.items()
            if card.role is Role.SEGMENTER and organ in card.organs
        ]

    def _folder(self, card: Card) -> str:
        return next(name for name, other in self.cards.items() if other is card)

    def _network(self, name: str) -> TorchScriptNetwork:
        if name not in self._loaded:
            card, path = self.cards[name], self.folder / name / NETWORK_NAME
            assert isinstance(card, ModelCard)
            self._loaded[name] = TorchScriptNetwork(path, card, self.device)
        return self._loaded[name]


def _check_localizers(cards: dict[str, Card]) -> None:
    localizers = [card for card in cards.values() if card.role in (Role.LOCALIZER, Role.FUSION)]
    if len(localizers) > 1:
        raise ConfigurationError("MODEL_CLASH", "the models folder holds two localization networks")
    _check_coarse_stage(_own(cards))


def _own(cards: dict[str, Card]) -> dict[str, ModelCard]:
    """The cards of networks that were not imported."""
    return {name: card for name, card in cards.items() if isinstance(card, ModelCard)}


def _check_segmenters(
    cards: dict[str, Card], preferred: Mapping[str, str], ruled: Collection[str]
) -> None:
    """Check that each organ has one network, with an MR and without, and that regions exist.

    ruled: organs that a rule contours.
    """
    seen: dict[tuple[str, bool], str] = {}
    for name, card in _own(cards).items():
        for organ in card.organs if card.role is Role.SEGMENTER else ():
            first = seen.setdefault((organ, card.needs_mr), name)
            if first != name:
                raise ConfigurationError(
                    "MODEL_CLASH", f"both {first} and {name} are segmenters of {organ}"
                )
    settled = {*ruled, *preferred, *(organ for organ, _ in seen)}
    for organ, name in _imported_organs(cards, settled).items():
        seen.setdefault((organ, False), name)
    for mr in (False, True):
        networks = {organ: seen.get((organ, mr), name) for (organ, _), name in seen.items()}
        _check_sources(cards, {**networks, **preferred})


def _imported_organs(cards: dict[str, Card], settled: Collection[str]) -> dict[str, str]:
    """The first imported network of each organ. Raises ConfigurationError MODEL_CLASH.

    settled: organs that something else contours, or that the settings decide.
    """
    found: dict[str, str] = {}
    for name, card in cards.items():
        for organ in card.organs if isinstance(card, ImportedCard) else ():
            first = found.setdefault(organ, name)
            if first != name and organ not in settled:
                raise ConfigurationError(
                    "MODEL_CLASH",
                    f"the imported networks {first} and {name} both contour {organ}: name one of"
                    f" them in the settings, such as `prefer: {{{organ}: {first}}}`",
                )
    return found


def _check_coarse_stage(cards: dict[str, ModelCard]) -> None:
    """Check that coarse views make all channels of a fusion network, with one view per plane."""
    views: dict[View | None, ModelCard] = {}
    for card in cards.values():
        if card.role is Role.VIEW and views.setdefault(card.view, card) is not card:
            raise ConfigurationError("MODEL_CLASH", f"two coarse networks read {card.view} planes")
    for card in cards.values():
        for channel in card.channels:
            if channel.source != "view":
                continue
            view = views.get(channel.view)
            if view is None or channel.organ not in view.organs:
                raise ConfigurationError(
                    "MODEL_MISSING",
                    f"{card.name} fuses {channel.organ} of {channel.view} planes, but no coarse"
                    " network predicts that",
                )


def _check_sources(cards: dict[str, Card], segmenters: dict[str, str]) -> None:
    """Check that every organ that defines a region has a network, without cycles."""
    for organ in segmenters:
        way, current = [organ], organ
        while (source := cards[segmenters[current]].source_organ(current)) is not None:
            if source not in segmenters:
                raise ConfigurationError(
                    "MODEL_MISSING", f"{current} is searched around {source}, which has no network"
                )
            if source in way:
                raise ConfigurationError(
                    "MODEL_CLASH", f"the search for {organ} depends on itself: {', '.join(way)}"
                )
            way.append(source)
            current = source
