"""Writes the list of the networks that OARflow brings: `make shipped-networks`.

Run it after a change of a network or its card in `models/`.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from oarflow.commissioning.shipped import SHIPPED
from oarflow.networks.card import ModelCard
from oarflow.networks.cards import read_cards

MODELS = Path("models")


def main() -> None:
    """Replace the digests; the comments and the other keys stay."""
    text = SHIPPED.read_text(encoding="utf-8")
    networks = {
        name: {"network": card.sha256, "card": card.digest}
        for name, card in read_cards(MODELS).items()
        if isinstance(card, ModelCard)
    }
    head = text.partition("networks:\n")[0]
    SHIPPED.write_text(head + yaml.safe_dump({"networks": networks}), encoding="utf-8")


if __name__ == "__main__":
    main()
