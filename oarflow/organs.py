"""The catalogue of organs at risk: names, codes, colours, volumes and patch sizes.

The data are in `models/organs.yaml`; the comment at its top explains each field. This module does
not depend on images, patient files or networks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from oarflow.locations import PACKAGE, shipped
from oarflow.settings_files import explain
from oarflow.yaml_files import YamlError, read_yaml

FILE_NAME = "organs.yaml"

NAME_LENGTH = 16
"""Characters that every planning system keeps of an ROI's name."""

Laterality = Literal["L", "R", "midline", "both"]
Paper = Literal["SLICE", "HANSEG", "TWOSTEP"]
Backbone = Literal["resnet34", "seresnet34", "resnext50"]
Colour = tuple[
    Annotated[int, Field(ge=0, le=255)],
    Annotated[int, Field(ge=0, le=255)],
    Annotated[int, Field(ge=0, le=255)],
]

_SIDES = {"L": ("L", "Lt", "Left"), "R": ("R", "Rt", "Right")}


class CatalogueError(ValueError):
    """The catalogue's file cannot be used. The message names the file and the entry."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Concept(_Strict):
    """A SNOMED CT concept (coding scheme designator SCT).

    source: where the code was looked up: DICOM's code dictionary, or HL7 mCODE's map of TG-263.
    """

    value: str = Field(pattern=r"^[0-9]{6,16}$")
    meaning: str = Field(min_length=1, max_length=64, pattern=r"^[\x20-\x7e]+$")
    source: Literal["dicom", "mcode"] = "dicom"

    @property
    def scheme(self) -> str:
        """Coding scheme designator."""
        return "SCT"


LATERALITY_CODES: dict[Laterality, Concept | None] = {
    "L": Concept(value="7771000", meaning="Left"),
    "R": Concept(value="24028007", meaning="Right"),
    "both": Concept(value="51440002", meaning="Bilateral"),
    "midline": None,
}


class Organ(_Strict):
    """One organ at risk.

    name: TG-263 primary name, or built by its rules where `tg263` is false.
    laterality: side, "midline", or "both" for a pair contoured as one.
    partner: name of the same organ on the other side.
    part_of: organs that contain this one; they may overlap with it.
    interpreted_type: RT ROI Interpreted Type. An EXTERNAL contains every other organ.
    stems: names without a side; aliases: other names. `names` lists every accepted name.
    sources: the organ's name in each paper.
    patch_mm: edges of the square patches that SLICE uses for it, ascending, in mm; none for an
        organ that only a rule contours.
    backbone: SLICE's encoder; None where SLICE lacks the organ.
    colour: red, green, blue, 0 to 255.
    code: the anatomic structure, without side; None where no code means exactly this part.
    volume_cc: least and greatest plausible volume, in cm3; volume_source: its origin.
    minimum_island_cc: components smaller than this are not contoured, in cm3.
    """

    name: str = Field(max_length=NAME_LENGTH, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    tg263: bool = True
    laterality: Laterality
    partner: str | None = None
    part_of: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    interpreted_type: Literal["ORGAN", "EXTERNAL"] = "ORGAN"
    sources: dict[Paper, str] = {}
    patch_mm: tuple[Annotated[float, Field(gt=0)], ...] = ()
    backbone: Backbone | None = None
    colour: Colour
    code: Concept | None
    volume_cc: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    volume_source: str = Field(min_length=1)
    minimum_island_cc: float = Field(ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.laterality in _SIDES) != (self.partner is not None):
            raise ValueError("an organ has a partner if and only if it has a side")
        if self.stems and self.laterality not in _SIDES:
            raise ValueError("stems are for organs with a side")
        if list(self.patch_mm) != sorted(set(self.patch_mm)):
            raise ValueError(f"patch_mm {self.patch_mm} must ascend")
        if self.volume_cc[0] >= self.volume_cc[1]:
            raise ValueError(f"volume_cc {self.volume_cc} must ascend")
        if self.minimum_island_cc >= self.volume_cc[0]:
            raise ValueError("minimum_island_cc must be below the least plausible volume")
        return self

    @property
    def default_patch_mm(self) -> float:
        """The largest of the patches, into which the whole organ fits, in mm; 0 without patches."""
        return max(self.patch_mm, default=0.0)

    @property
    def laterality_code(self) -> Concept | None:
        """The side as a modifier of `code`; None for organs of the midline."""
        return LATERALITY_CODES[self.laterality]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every accepted name: its own, its aliases, its stems with the side, the papers' names."""
        sided = (
            form
            for stem in self.stems
            for side in _SIDES[self.laterality]
            for form in (f"{stem}_{side}", f"{side} {stem}")
        )
        # A paper that contours one side only gives no name for a side.
        spelled = (name for paper, name in self.sources.items() if not self._one_sided(paper))
        return tuple(dict.fromkeys((self.name, *self.aliases, *sided, *spelled)))

    def _one_sided(self, paper: Paper) -> bool:
        return paper == "TWOSTEP" and self.laterality in _SIDES


_PLAIN = re.compile(r"\(?[^\W_]([\w\s,.()-]*[^\W_])?[.)]?")
"""Letters and digits at both ends; between them also the separators of words."""

_JOINS = re.compile(r"[-,]")
"""What separates words ("Spinal-Cord"), and in TG-263 also subtracts ("Lungs-PTV")."""


def normalised(name: str) -> str:
    """Fold a name for comparison: lower case, letters and digits only."""
    return re.sub(r"[\W_]+", "", name.casefold())


def is_plain(name: str) -> bool:
    """Whether a name consists of words and their separators only.

    Other characters change the meaning: "?" marks doubt, TG-263 puts "~" before a part of an organ
    and "_" before a planning structure, "+" and "/" join or enlarge organs.
    """
    text = name.strip()
    wrapped = text.startswith("(") and text.endswith(")")
    return bool(_PLAIN.fullmatch(text)) and not wrapped


@dataclass(frozen=True)
class Catalogue:
    """The organs in the order of their ROIs.

    Raises CatalogueError where names clash, partners do not agree, or an alias could mean two
    organs.
    """

    organs: tuple[Organ, ...]

    def __post_init__(self) -> None:
        if len(self._by_name) != len(self.organs):
            raise CatalogueError("two organs have the same name")
        if len({name.casefold() for name in self._by_name}) != len(self.organs):
            raise CatalogueError("two organs' names differ only in case")
        for organ in self.organs:
            if organ.partner is not None:
                self._check_pair(organ, organ.partner)
            if unknown := set(organ.part_of) - set(self._by_name):
                raise CatalogueError(f"{organ.name} is part of what is not listed: {unknown}")
        _ = self._by_alias

    def _check_pair(self, organ: Organ, partner_name: str) -> None:
        partner = self._by_name.get(partner_name)
        if partner is None or partner.partner != organ.name:
            raise CatalogueError(f"{organ.name} and {partner_name} are not each other's partner")
        if {organ.laterality, partner.laterality} != {"L", "R"}:
            raise CatalogueError(f"{organ.name} and {partner_name} are not left and right")

    @cached_property
    def _by_name(self) -> dict[str, Organ]:
        return {organ.name: organ for organ in self.organs}

    @cached_property
    def _by_alias(self) -> dict[str, Organ]:
        table: dict[str, Organ] = {}
        for organ in self.organs:
            for name in organ.names:
                other = table.setdefault(normalised(name), organ)
                if other is not organ:
                    raise CatalogueError(f"{name!r} means both {other.name} and {organ.name}")
        self._check_stems(table)
        return table

    def _check_stems(self, table: dict[str, Organ]) -> None:
        # "Submandibula_R" folds to "submandibular": a name without a side would gain one.
        for organ in self.organs:
            for stem in organ.stems:
                if (taken := table.get(normalised(stem))) is not None:
                    raise CatalogueError(f"{stem!r} names no side but would mean {taken.name}")

    def __iter__(self) -> Iterator[Organ]:
        return iter(self.organs)

    def __len__(self) -> int:
        return len(self.organs)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @property
    def names(self) -> tuple[str, ...]:
        """Names in catalogue order."""
        return tuple(self._by_name)

    def organ(self, name: str) -> Organ:
        """The organ of exactly this catalogue name. Raises KeyError with the nearest name."""
        found = self._by_name.get(name)
        if found is None:
            near = self.nearest(name)
            hint = f"; did you mean {near.name}?" if near else ""
            raise KeyError(f"{name!r} is not in the catalogue{hint}")
        return found

    def resolve(self, alias: str) -> Organ | None:
        """The organ that a name means; case, separators and spaces do not matter.

        None for an unknown name, for a paired organ without a side, and for a doubtful name: one
        with other characters than letters, digits and separators ("Parotid_L?"), or one that joins
        two organs ("Eye-Lens_L").
        """
        return self.nearest(alias) if is_plain(alias) and not self._joins_organs(alias) else None

    def nearest(self, alias: str) -> Organ | None:
        """The organ that a name may mean, even a doubtful one: only for suggestions to a person."""
        return self._by_alias.get(normalised(alias))

    def _joins_organs(self, name: str) -> bool:
        sides = ((name[: at.start()], name[at.end() :]) for at in _JOINS.finditer(name))
        return any(
            normalised(first) in self._words and normalised(second) in self._words
            for first, second in sides
        )

    @cached_property
    def _words(self) -> frozenset[str]:
        """Folded names and stems."""
        stems = (normalised(stem) for organ in self.organs for stem in organ.stems)
        return frozenset((*self._by_alias, *stems))

    def position(self, name: str) -> int:
        """Place of an organ in the catalogue, from 0: the order of ROIs. Raises KeyError."""
        return self.names.index(self.organ(name).name)


def catalogue_path(models: Path | None = None) -> Path:
    """The path of the catalogue: in the models folder, else the program's own.

    models: a folder that may hold `organs.yaml`. Raises CatalogueError where neither exists.
    """
    places = [shipped("models") / FILE_NAME, PACKAGE / FILE_NAME]
    if models is not None:
        places.insert(0, models / FILE_NAME)
    for place in places:
        if place.is_file():
            return place
    raise CatalogueError(f"no {FILE_NAME} in {', '.join(str(place.parent) for place in places)}")


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read and check the catalogue.

    path: the file itself, or a models folder that may hold it; None for the program's own.
    Raises CatalogueError naming the file, the entry and what is wrong with it.
    """
    file = path if path is not None and path.is_file() else catalogue_path(path)
    try:
        content = read_yaml(file)
    except (OSError, YamlError) as error:
        raise CatalogueError(f"{file}: cannot be read: {error}") from error
    if not isinstance(content, dict) or set(content) != {"organs"}:
        raise CatalogueError(f"{file}: must hold the one key `organs`")
    if not isinstance(content["organs"], list):
        raise CatalogueError(f"{file}: `organs` must be a list")
    organs = tuple(_organ(file, place, entry) for place, entry in enumerate(content["organs"]))
    try:
        return Catalogue(organs)
    except CatalogueError as error:
        raise CatalogueError(f"{file}: {error}") from error


def _organ(file: Path, place: int, entry: Any) -> Organ:
    try:
        return Organ.model_validate(entry)
    except ValidationError as error:
        name = entry.get("name", place) if isinstance(entry, dict) else place
        raise CatalogueError(f"{file}: organ {name}: {explain(error, Organ)}") from error
