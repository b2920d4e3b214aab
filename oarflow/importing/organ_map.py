"""Which labels of an imported network are which organs: by their names, or by a file.

labels:                      one label, one organ
  eye_left: Eye_L
organs:                      several labels, or one side of a label
  Musc_Constrict: [constrictor_superior, constrictor_middle]
  Parotid_L: {labels: [parotids], side: left}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oarflow.importing.errors import NotImportedError
from oarflow.networks.imported.card import OrganLabels
from oarflow.organs import Catalogue
from oarflow.settings_files import explain
from oarflow.yaml_files import YamlError, read_yaml

Name = str | int
"""A label: its name in the data set, or its number."""


class SidedLabels(BaseModel):
    """Labels of an organ. side: only their part on this side of the patient."""

    model_config = ConfigDict(extra="forbid")

    labels: tuple[Name, ...] = Field(min_length=1)
    side: Literal["left", "right"] | None = None


class OrganMap(BaseModel):
    """labels: organ by label. organs: labels by organ."""

    model_config = ConfigDict(extra="forbid")

    labels: dict[Name, str] = {}
    organs: dict[str, Annotated[tuple[Name, ...], Field(min_length=1)] | SidedLabels] = {}


@dataclass(frozen=True)
class Assignment:
    """The organs with their labels, and the names of labels without an organ."""

    contours: tuple[OrganLabels, ...]
    unused: tuple[str, ...]


def by_name(labels: Mapping[str, Sequence[int]], catalogue: Catalogue) -> Assignment:
    """Labels whose names are an organ's name in the catalogue, in any accepted spelling.

    labels: the numbers of each structure by its name. Raises NotImportedError if none fits.
    """
    found = {}
    for name in labels:
        organ = catalogue.resolve(name)
        if organ is not None and organ.name in found:
            raise NotImportedError(
                f"two labels are both {organ.name}: say which with --organs map.yaml"
            )
        if organ is not None:
            found[organ.name] = name
    return assigned({organ: SidedLabels(labels=(name,)) for organ, name in found.items()}, labels)


def by_file(path: Path, labels: Mapping[str, Sequence[int]], catalogue: Catalogue) -> Assignment:
    """The assignment of a file. Raises NotImportedError naming what does not fit."""
    stated = _read(path)
    wanted: dict[str, SidedLabels] = {}
    for name, organ in stated.labels.items():
        if organ in wanted:
            raise NotImportedError(f"{path.name} names {organ} twice: list its labels under organs")
        wanted[organ] = SidedLabels(labels=(name,))
    for organ, given in stated.organs.items():
        if organ in wanted:
            raise NotImportedError(f"{path.name} names {organ} under labels and under organs")
        wanted[organ] = given if isinstance(given, SidedLabels) else SidedLabels(labels=given)
    for organ in wanted:
        try:
            catalogue.organ(organ)
        except KeyError as error:
            raise NotImportedError(f"{path.name}: {error.args[0]}") from None
    return assigned(wanted, labels)


def _read(path: Path) -> OrganMap:
    try:
        document: Any = read_yaml(path)
    except (OSError, YamlError) as error:
        raise NotImportedError(f"{path} cannot be read: {error}") from None
    try:
        return OrganMap.model_validate(document)
    except ValidationError as error:
        raise NotImportedError(f"{path.name}: {explain(error, OrganMap)}") from None


def assigned(wanted: Mapping[str, SidedLabels], labels: Mapping[str, Sequence[int]]) -> Assignment:
    """The labels of each organ as numbers. labels: the numbers of each structure by its name.

    Raises NotImportedError for no organs, or a label that the network does not have.
    """
    if not wanted:
        raise NotImportedError(
            "no label has the name of an organ: state them with --organs map.yaml;"
            f" the labels are {', '.join(labels)}"
        )
    contours = []
    used: set[str] = set()
    for organ, given in wanted.items():
        numbers: list[int] = []
        for name in given.labels:
            key = _key(name, labels)
            used.add(key)
            numbers.extend(labels[key])
        contours.append(
            OrganLabels(organ=organ, labels=tuple(dict.fromkeys(numbers)), side=given.side)
        )
    return Assignment(tuple(contours), tuple(name for name in labels if name not in used))


def _key(name: Name, labels: Mapping[str, Sequence[int]]) -> str:
    """The structure of a label's name or number."""
    if name in labels:
        return str(name)
    found = list(_numbered(name, labels))
    if len(found) != 1:
        raise NotImportedError(f"the network has no label {name!r:.40}: {', '.join(labels)}")
    return found[0]


def _numbered(name: Name, labels: Mapping[str, Sequence[int]]) -> Iterator[str]:
    for key, numbers in labels.items():
        if tuple(numbers) == (name,):
            yield key
