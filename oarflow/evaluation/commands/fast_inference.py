"""What `oarflow evaluate fast-inference` does."""

from __future__ import annotations

import argparse
import logging

from oarflow.evaluation.invocation import as_typed, today

LOGGER = logging.getLogger("oarflow.evaluation")


def fast_inference(flags: argparse.Namespace) -> None:
    """Compare fast inference of an imported network with exact labels. Raises ValueError."""
    from oarflow.evaluation.fast_inference.agreement import fast_agreement
    from oarflow.evaluation.fast_inference.page import markdown
    from oarflow.importing.own_organs import localized
    from oarflow.networks.card import NETWORK_NAME
    from oarflow.networks.cards import read_cards
    from oarflow.networks.imported.card import ImportedCard

    card = read_cards(flags.models).get(flags.network)
    if not isinstance(card, ImportedCard):
        raise ValueError(f"{flags.models} holds no imported network in a folder {flags.network!r}")
    found = []
    for folder in flags.ct:
        scene = localized(folder)
        path = flags.models / flags.network / NETWORK_NAME
        title = as_typed(str(folder))
        found += fast_agreement(title, scene.volume, scene.localizations, path, card)
    text = markdown(found, card, as_typed(flags.command_line), today())
    flags.output.write_text(text, encoding="utf-8")
    LOGGER.info("%s", text)
