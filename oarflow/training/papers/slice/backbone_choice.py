"""Each organ's backbone, as the experiment chose it, in a file that `fit` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from oarflow.training.papers.slice.comparison import NetworkPair, chosen
from oarflow.training.papers.slice.plan import (
    BACKBONES,
    DROPOUT,
    ExperimentSettings,
    backbone_changes,
)
from oarflow.yaml_files import YamlError, read_yaml

CHOICE_NAME = "backbones.yaml"
TABLES = ("slice_paper", "slice_paper_full", "slice_paper_dropout", "slice_compact")
HEAD = "# Each organ's backbone: of networks on crops, the best IoU on the tuning patients.\n"


def write_choice(
    settings: ExperimentSettings, pairs: Sequence[NetworkPair], path: Path, data: str
) -> bool:
    """Write the choice for organs with all backbones finished. Returns False if there are none.

    data: their name.
    """
    finished = [
        pair
        for pair in pairs
        if {one.backbone for one in pairs if one.organ == pair.organ} == set(settings.backbones)
    ]
    if not finished:
        return False
    found = {pair.organ: pair.backbone for pair in chosen(finished)}
    text = yaml.safe_dump({"data": data, "backbones": found}, sort_keys=False)
    path.write_text(HEAD + text, encoding="utf-8")
    return True


def chosen_backbone(path: Path, network: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a file of choices changes in a network's configuration.

    network: table/organ. given: what else is changed. Raises ValueError where the file has no
    choice for it, and OSError.
    """
    table, _, organ = network.rpartition("/")
    if table not in TABLES:
        raise ValueError(f"--backbones is for {', '.join(f'{one}/ORGAN' for one in TABLES)}")
    try:
        backbone = read_yaml(path)["backbones"].get(organ)
    except YamlError as error:
        raise ValueError(f"{path}: {error}") from error
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} holds no backbones as `experiment slice` writes them") from error
    if backbone not in (*BACKBONES, DROPOUT):
        raise ValueError(f"{path} chooses no known backbone for {organ}")
    changes = backbone_changes(backbone)
    if both := sorted(set(changes) & set(given)):
        raise ValueError(f"--backbones and --set both say {', '.join(both)}: leave one out")
    return changes
