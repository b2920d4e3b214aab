"""`oarflow train views`: C2F's table 1 on the tuning patients."""

from __future__ import annotations

from oarflow.networks.store import ModelStore
from oarflow.training.commands.options import Options, open_data, patients_flag
from oarflow.training.papers.c2f.fusion_fit import view_thresholds
from oarflow.training.papers.c2f.view_scores import view_scores
from oarflow.training.papers.method_scores import DICE, write_comparison

ABOUT = """\
Dice of the tuning patients on the coarse grid. Weighted cross-entropy makes each view's probability
high far beyond an organ's surface. Each view therefore has a threshold of its own, learned from the
same fitting patients and in the same way as the fusion's weights. A view that never finds an
organ has a Dice of 0. The sagittal view never finds a parotid, because a sagittal plane does not
show whether it lies left or right.

The paper's table 1 (MICCAI 2015, 1 mm; percent, in the same order of views): Brainstem 84.3, 81.2,
80.4, fusion 85.2; Mandible 89.5, 85.6, 88.5, fusion 90.1; Parotid_L 79.2, 76.0, 76.4, fusion 80.2;
Parotid_R 80.1, 76.4, 77.0, fusion 81.0."""


def run(options: Options) -> None:
    """Each view against their fusion on the split's tuning patients."""
    data, store = open_data(options), ModelStore.open(options.models, device=options.device)
    if store.fusion is None:
        raise ValueError(f"{options.models} holds no fusion network")
    fitted = data.split.fit[: store.fusion.card.training.cases]
    thresholds = view_thresholds(data.read(fitted), store)
    tuning = data.read(data.split.tune[: options.patients])
    write_comparison(
        {DICE: list(view_scores(tuning, store, thresholds))},
        options.output,
        title="C2F: each view and their fusion (the paper's table 1)",
        command=f"oarflow train views --models C2F{patients_flag(options)} --data DATA",
        about=ABOUT,
    )
