"""The score from which a fused map's landmarks count as sure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from oarflow.networks.card import (
    CARD_NAME,
    SURE_SCORE,
    ModelCard,
    write_card,
)
from oarflow.networks.store import ModelStore
from oarflow.plausibility.anatomy import ENOUGH_LANDMARKS, LANDMARKS
from oarflow.segmentation.localizer import localize
from oarflow.training.data.as_served import volume_of
from oarflow.training.data.cases import TrainingCase
from oarflow.training.papers.c2f.fusion_model import FUSION_FOLDER

SURE_SHARE = 0.95
"""Share of upright patients of whom enough landmarks are to count as sure."""


def sure_score(cases: Iterable[TrainingCase], store: ModelStore) -> float:
    """The score that enough landmarks reach in most patients, at most the usual one.

    A fused map is less sure than a single network's even where it is right. Judged by the usual
    score, every upright head would seem to need a look in all other positions.
    """
    reached = []
    for case in cases:
        found = localize(volume_of(case), store)
        scores = sorted(
            (found[organ].score for organ in LANDMARKS if organ in found and found[organ].present),
            reverse=True,
        )
        if len(scores) >= ENOUGH_LANDMARKS:
            reached.append(scores[ENOUGH_LANDMARKS - 1])
    if not reached:
        return SURE_SCORE
    return min(SURE_SCORE, round(float(np.quantile(reached, 1 - SURE_SHARE)), 3))


def write_sure_score(store: ModelStore, score: float) -> ModelCard:
    """Put it on the fusion's card. Raises ValueError where the folder has no fusion."""
    if store.fusion is None:
        raise ValueError("no fusion in the models folder")
    card = store.fusion.card.model_copy(update={"sure_score": score})
    write_card(card, store.folder / FUSION_FOLDER / CARD_NAME)
    return card
