"""Result folders of the form that a recipe expects, with tiny random networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from oarflow.evaluation.benchmarks.imported import NetworkSize
from oarflow.importing.nnunet.plans import configured
from oarflow.importing.nnunet.unet import build
from oarflow.importing.recipes.recipe import ImportRecipe

RAW_HU = {"mean": 0.0, "std": 1.0, "percentile_00_5": -1000.0, "percentile_99_5": 4000.0}
"""With these figures the network's input is HU."""


def write_stand_in(root: Path, recipe: ImportRecipe, variant: str = "", **changes: Any) -> Path:
    """The weights of a recipe below a program's folder of weights. Returns the result folder.

    changes: folder, trained, spacing_mm, labels, fold or facts (of plans.json) other than the
    recipe's.
    """
    trained: str = changes.get("trained", recipe.trained)
    place = Path(root, variant, changes.get("folder", recipe.folder), trained)
    trainer, plans_name, configuration = trained.split("__")
    labels = changes.get("labels", recipe.labels)
    size = NetworkSize(
        "stand-in",
        "ResidualEncoderUNet" if "ResEnc" in plans_name else "PlainConvUNet",
        changes.get("spacing_mm", recipe.spacing_mm),
        heads=len(labels) + 1,
        patch=(4, 4, 4),
        features=(1, 2),
    )
    plans = size.plans | {"plans_name": plans_name} | changes.get("facts", {})
    plans["configurations"] = {configuration: next(iter(plans["configurations"].values()))}
    network = build(configured(plans, configuration).architecture, size.heads)
    numbers = {"background": 0} | {name: n for n, name in enumerate(labels, start=1)}
    data_set = {"channel_names": {"0": "CT"}, "labels": numbers, "name": recipe.folder}
    fold = place / f"fold_{changes.get('fold', recipe.fold)}"
    fold.mkdir(parents=True)
    (place / "plans.json").write_text(json.dumps(plans))
    (place / "dataset.json").write_text(json.dumps(data_set))
    checkpoint = {
        "network_weights": network.state_dict(),
        "init_args": {"configuration": configuration},
        "trainer_name": trainer,
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(checkpoint, fold / "checkpoint_final.pth")
    return place
