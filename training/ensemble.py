"""Networks that differ in their seed only, made into one that answers with their mean."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from oarflow.networks.card import (
    CARD_NAME,
    NETWORK_NAME,
    ModelCard,
    Training,
    read_card,
    write_card,
)
from training.architectures.mean import MeanNetwork
from training.export import AGREEMENT, greatest_difference, torchscript

ALIKE = ("data", "cases", "labels")
"""What all members' trainings must agree on."""


def unite(folders: Sequence[Path], output: Path, version: str) -> list[ModelCard]:
    """Write the mean of each network that all models folders hold, under its own name.

    Raises ValueError where no network is in all of them, or two of one name do not read and
    answer alike.
    """
    names = set.intersection(*({p.parent.name for p in f.glob(f"*/{CARD_NAME}")} for f in folders))
    if not names:
        raise ValueError(f"no network is in all of {', '.join(map(str, folders))}")
    return [
        _unite(name, [folder / name for folder in folders], output / name, version)
        for name in sorted(names)
    ]


def _unite(name: str, members: Sequence[Path], output: Path, version: str) -> ModelCard:
    cards = [read_card(member / CARD_NAME) for member in members]
    _check_alike(name, cards)
    network = MeanNetwork([_load(member / NETWORK_NAME) for member in members]).eval()
    file = torchscript(network)
    card = cards[0]
    difference = greatest_difference(
        network,
        file,
        channels=len(card.channels),
        dimensions=card.dimensions,
        multiple=card.multiple,
    )
    if difference > AGREEMENT:
        raise ValueError(
            f"{name}: the mean in one file differs by {difference:.2g} from its members"
        )
    made = card.model_copy(
        update={
            "version": version,
            "sha256": hashlib.sha256(file).hexdigest(),
            "architecture": f"mean of {len(cards)}: {card.architecture}",
            "parameters": sum(one.parameters for one in cards),
            "training": _together([one.training for one in cards]),
            "members": tuple(one.training for one in cards),
            "validation": None,
        }
    )
    output.mkdir(parents=True, exist_ok=True)
    (output / NETWORK_NAME).write_bytes(file)
    write_card(made, output / CARD_NAME)
    return made


def _load(path: Path) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module: torch.jit.ScriptModule = torch.jit.load(  # type: ignore[no-untyped-call]
            io.BytesIO(path.read_bytes()), map_location="cpu"
        )
    return module.float().eval()


def _check_alike(name: str, cards: Sequence[ModelCard]) -> None:
    if any(card.members for card in cards):
        raise ValueError(f"{name} is a mean already: unite its members")
    if len({card.sha256 for card in cards}) < len(cards):
        raise ValueError(f"{name}: the same network twice")
    own = {"version", "sha256", "training", "validation", "note"}
    first = cards[0].model_dump(exclude=own)
    for card in cards[1:]:
        other = card.model_dump(exclude=own)
        keys = [key for key in first if first[key] != other[key]]
        keys += [
            f"training {key}"
            for key in ALIKE
            if getattr(card.training, key) != getattr(cards[0].training, key)
        ]
        if keys:
            raise ValueError(f"{name}: its members differ in {', '.join(keys)}")


def _together(trainings: Sequence[Training]) -> Training:
    """Of all members: their steps and minutes added up; each one's own are on the card, too."""
    commits = dict.fromkeys(commit for one in trainings for commit in one.commit.split(", "))
    return trainings[0].model_copy(
        update={
            "commit": ", ".join(commits),
            "steps": sum(one.steps for one in trainings),
            "minutes": round(sum(one.minutes for one in trainings), 1),
            "configuration": {},
            "recorded": all(one.recorded for one in trainings),
        }
    )
