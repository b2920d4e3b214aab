"""dataset.json: the labels and how the network's channels give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oarflow.importing.errors import NotImportedError
from oarflow.importing.known import shown
from oarflow.importing.numbers import part, sizes, text, whole

MOST_LABELS = 255


@dataclass(frozen=True)
class LabelTable:
    """What a network's channels mean.

    values: by the folder's name, the structure's labels: one, or several where the network
    predicts regions. heads: number of channels. regions: the label that each channel
    paints; None where channel k is label k. name, reader: of the data set; "" where not stated.
    """

    name: str
    values: Mapping[str, tuple[int, ...]]
    heads: int
    regions: tuple[int, ...] | None
    reader: str

    @property
    def names(self) -> dict[int, str]:
        """A name for each label that can be in the result."""
        single = {values[0]: name for name, values in self.values.items() if len(values) == 1}
        known = self.regions or tuple(range(1, self.heads))
        return {label: single.get(label, f"label {label}") for label in sorted(set(known))}


def label_table(document: Mapping[str, Any]) -> LabelTable:
    """The labels of dataset.json. Raises NotImportedError."""
    channels = part("channel_names", document.get("channel_names", document.get("modality")), dict)
    if len(channels) != 1:
        raise NotImportedError(
            f"the network reads {len(channels)} channels; OARflow imports networks of one CT"
            " channel"
        )
    channel = text("channel_names", next(iter(channels.values())))
    if channel.lower() not in ("ct", "nonorm", "zscore", "rescale_to_0_1"):
        raise NotImportedError(f"the network reads {shown(channel)}, not CT")
    labels = part("labels", document.get("labels"), dict)
    if len(labels) > MOST_LABELS + 2:
        raise NotImportedError(f"the network has {len(labels)} labels, more than {MOST_LABELS}")
    values = {text("labels", name): _values(name, value) for name, value in labels.items()}
    values.pop("ignore", None)
    if values.get("background") != (0,):
        raise NotImportedError("labels has no background of 0")
    structures = {name: value for name, value in values.items() if name != "background"}
    if not structures:
        raise NotImportedError("labels has no structure")
    regions = None
    if any(len(value) > 1 for value in structures.values()):
        order = document.get("regions_class_order")
        regions = sizes("regions_class_order", order, most=MOST_LABELS, count=MOST_LABELS)
        if len(regions) != len(structures):
            raise NotImportedError("regions_class_order does not have one label per region")
    elif sorted(value[0] for value in structures.values()) != list(range(1, len(structures) + 1)):
        raise NotImportedError("the labels are not the whole numbers from 0 on")
    return LabelTable(
        name=text("name", document.get("name", "")),
        values=structures,
        heads=len(structures) + (regions is None),
        regions=regions,
        reader=text("image reader", document.get("overwrite_image_reader_writer") or ""),
    )


def _values(name: str, value: Any) -> tuple[int, ...]:
    if isinstance(value, list):
        found = sizes(f"labels.{name}", value, least=0, most=MOST_LABELS, count=MOST_LABELS)
        return tuple(dict.fromkeys(found))
    return (whole(f"labels.{name}", value, 0, MOST_LABELS),)
