"""The fusion network written into a models folder, beside the views that it fuses."""

from __future__ import annotations

from pathlib import Path

from oarflow.networks.card import CARD_NAME, NETWORK_NAME, ModelCard, View, write_card
from oarflow.networks.store import ModelStore
from oarflow.training.export.torchscript import rounded, torchscript
from oarflow.training.fitting.record import TrainingOrigin, program_commit
from oarflow.training.papers.c2f.coarse_maps import common_organs
from oarflow.training.papers.c2f.fusion_network import Fusion, fusion_card

FUSION_FOLDER = "c2f_fusion"


def export_fusion(fusion: Fusion, store: ModelStore, cases: int, minutes: float = 0.0) -> ModelCard:
    """Write c2f_fusion/model.ts and model.json into the views' models folder."""
    file = torchscript(rounded(fusion))
    folder: Path = store.folder / FUSION_FOLDER
    folder.mkdir(exist_ok=True)
    (folder / NETWORK_NAME).write_bytes(file)
    organs = common_organs(store)
    origin = TrainingOrigin(
        store.views[View.AXIAL].card.training.data, cases, commit=program_commit()
    )
    card = fusion_card(store, organs, fusion, file, origin=origin, minutes=minutes)
    write_card(card, folder / CARD_NAME)
    return card
