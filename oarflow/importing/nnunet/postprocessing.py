"""postprocessing.json: which labels keep their largest component only. The .pkl is never opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oarflow.importing.known import require, require_keys
from oarflow.importing.nnunet.dataset import MOST_LABELS
from oarflow.importing.numbers import part, whole
from oarflow.networks.imported.card import LargestComponent

LARGEST = "remove_all_but_largest_component_from_segmentation"
REMEDY = "remove postprocessing.json to import the network without it"


def largest_components(document: Mapping[str, Any]) -> tuple[LargestComponent, ...]:
    """The rules, in their order. Raises NotImportedError."""
    functions = part("postprocessing_fns", document.get("postprocessing_fns"), list)
    arguments = part("postprocessing_kwargs", document.get("postprocessing_kwargs"), list)
    rules = []
    for name, kwargs in zip(functions, arguments, strict=False):
        require("postprocessing_fns", name, (LARGEST,), REMEDY)
        given = part("postprocessing_kwargs", kwargs, dict)
        require_keys(
            "postprocessing_kwargs", given, ("labels_or_regions", "background_label"), REMEDY
        )
        require("background_label", given.get("background_label", 0), (0,), REMEDY)
        rules.append(LargestComponent(labels=tuple(_labels(given.get("labels_or_regions")))))
    return tuple(rules)


def _labels(value: Any) -> list[int]:
    """Labels of a label, a list, or a list of regions."""
    if not isinstance(value, list):
        return [whole("labels_or_regions", value, 1, MOST_LABELS)]
    nested = [item if isinstance(item, list) else [item] for item in value]
    return [whole("labels_or_regions", label, 1, MOST_LABELS) for item in nested for label in item]
