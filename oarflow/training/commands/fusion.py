"""`oarflow train fusion`: learn how a models folder's coarse views are fused (C2F)."""

from __future__ import annotations

import sys
import time

from oarflow.networks.store import ModelStore
from oarflow.training.commands.options import Options, open_data
from oarflow.training.papers.c2f.fusion_fit import fit_fusion
from oarflow.training.papers.c2f.fusion_model import export_fusion
from oarflow.training.papers.c2f.sure_score import sure_score, write_sure_score


def run(options: Options) -> None:
    """Learn the fusion of the three views of a models folder, and write it beside them.

    The score from which its landmarks count as sure goes on its card.
    """
    data, store = open_data(options), ModelStore.open(options.models, device=options.device)
    fitted = data.split.fit[: options.patients]
    started = time.monotonic()
    network = fit_fusion(data.read(fitted), store)
    export_fusion(network, store, len(fitted), (time.monotonic() - started) / 60)
    fused_store = ModelStore.open(options.models, device=options.device)
    card = write_sure_score(fused_store, sure_score(data.read(fitted), fused_store))
    sys.stdout.write(
        f"{card.name} {card.version}: {card.parameters} parameters, {card.sha256}; landmarks are "
        f"sure from a score of {card.sure_score:.3f}\n"
    )
