"""Recipes of derived structures, as settings and templates hold them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from oarflow.derived.margins import Margins
from oarflow.organs import Colour

MOST_MM = 100.0
"""Greatest margin of a recipe."""

MOST_STRUCTURES = 200

InterpretedType = Literal["ORGAN", "AVOIDANCE", "CONTROL", "EXTERNAL"]
Millimetres = Annotated[float, Field(gt=0, le=MOST_MM)]
Name = Annotated[str, Field(min_length=1)]


def _unset(value: object) -> bool:
    return value is None


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Directions(_Section):
    """Margins by direction of the patient, in mm; a direction that is not named has none."""

    left: Annotated[float, Field(ge=0, le=MOST_MM)] = 0.0
    """To the patient's left."""
    right: Annotated[float, Field(ge=0, le=MOST_MM)] = 0.0
    """To the patient's right."""
    lateral: Annotated[float, Field(ge=0, le=MOST_MM)] | None = Field(
        default=None, exclude_if=_unset
    )
    """To both sides, in place of `left` and `right`."""
    anterior: Annotated[float, Field(ge=0, le=MOST_MM)] = 0.0
    """To the front."""
    posterior: Annotated[float, Field(ge=0, le=MOST_MM)] = 0.0
    """To the back."""
    superior: Annotated[float, Field(ge=0, le=MOST_MM)] = 0.0
    """To the head."""
    inferior: Annotated[float, Field(ge=0, le=MOST_MM)] = 0.0
    """To the feet."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lateral is not None and (self.left or self.right):
            raise ValueError("give `lateral`, or `left` and `right`, not both")
        if not any(mm for _, mm in self.margins):
            raise ValueError("no direction has a margin")
        return self

    @property
    def margins(self) -> Margins:
        """The margins of all six directions."""
        given = self.model_dump(exclude={"lateral"})
        if self.lateral is not None:
            given |= {"left": self.lateral, "right": self.lateral}
        return Margins(**given)


class Plane(_Section):
    """A plane across the patient: an end of a structure, moved by a distance."""

    of: Name | None = Field(default=None, exclude_if=_unset)
    """Whose end it is; null: the end of the structure that is cut."""
    end: Literal["superior", "inferior"] | None = Field(default=None, exclude_if=_unset)
    """Which end; null: `superior` for the plane `superior`, `inferior` for `inferior`."""
    mm: Annotated[float, Field(ge=-1000, le=1000)] = 0.0
    """Distance of the plane from that end, positive towards the head."""

    def words(self, cut: str) -> str:
        """The plane in words. cut: the end that it cuts, of the structure that is cut."""
        place = f"the {self.end or cut} end" + (f" of {self.of}" if self.of else "")
        if not self.mm:
            return place
        return f"{abs(self.mm):g} mm {'above' if self.mm > 0 else 'below'} {place}"


def _kind_of_margin(value: Any) -> str:
    return "directions" if isinstance(value, Mapping | Directions) else "number"


Margin = Annotated[
    Annotated[Millimetres, Tag("number")] | Annotated[Directions, Tag("directions")],
    Discriminator(_kind_of_margin),
]
"""One margin for all directions, or one by direction."""


class _Recipe(_Section):
    """What all recipes have."""

    operator: ClassVar[str]
    default_type: ClassVar[InterpretedType]

    within: Name | None = Field(default=None, exclude_if=_unset)
    """A structure that limits the result; null: no limit."""
    type: InterpretedType | None = Field(default=None, exclude_if=_unset)
    """RT ROI Interpreted Type; null: that of the operator."""
    colour: Colour | None = Field(default=None, exclude_if=_unset)
    """Red, green, blue, each 0 to 255; null: a lighter shade of the first parent's."""

    @property
    def parents(self) -> tuple[str, ...]:
        """The structures from which it is made, each once, the main one first."""
        named = [*self._operands(), *([self.within] if self.within else [])]
        return tuple(dict.fromkeys(named))

    def renamed(self, name_of: Callable[[str], str]) -> Self:
        """The recipe with other names of its parents."""
        changes: dict[str, Any] = {"within": name_of(self.within)} if self.within else {}
        operands = getattr(self, self.operator)
        changes[self.operator] = (
            name_of(operands) if isinstance(operands, str) else tuple(map(name_of, operands))
        )
        return self.model_copy(update=changes)

    @property
    def words(self) -> str:
        """The recipe in words."""
        return self._words() + (f", within {self.within}" if self.within else "")

    @abstractmethod
    def _operands(self) -> Iterator[str]: ...

    @abstractmethod
    def _words(self) -> str: ...


class Grow(_Recipe):
    """A structure with a margin."""

    grow: Name
    """The structure."""
    mm: Margin
    """The margin: one number, or one by direction of the patient."""

    operator: ClassVar[str] = "grow"
    default_type: ClassVar[InterpretedType] = "AVOIDANCE"

    @property
    def margins(self) -> Margins:
        """The margins of all six directions."""
        return _margins(self.mm)

    def _operands(self) -> Iterator[str]:
        yield self.grow

    def _words(self) -> str:
        return f"{self.grow} grown by {_mm_words(self.mm)}"


class Shrink(_Recipe):
    """What is left of a structure after a layer at its surface is removed."""

    shrink: Name
    """The structure."""
    mm: Margin
    """The margin: one number, or one by direction of the patient."""

    operator: ClassVar[str] = "shrink"
    default_type: ClassVar[InterpretedType] = "CONTROL"

    @property
    def margins(self) -> Margins:
        """The margins of all six directions."""
        return _margins(self.mm)

    def _operands(self) -> Iterator[str]:
        yield self.shrink

    def _words(self) -> str:
        return f"{self.shrink} shrunk by {_mm_words(self.mm)}"


class Union(_Recipe):
    """All that lies in at least one structure."""

    union: Annotated[tuple[Name, ...], Field(min_length=2)]
    """The structures."""

    operator: ClassVar[str] = "union"
    default_type: ClassVar[InterpretedType] = "ORGAN"

    def _operands(self) -> Iterator[str]:
        yield from self.union

    def _words(self) -> str:
        return f"union of {_listed(self.union)}"


class Intersect(_Recipe):
    """All that lies in every structure."""

    intersect: Annotated[tuple[Name, ...], Field(min_length=2)]
    """The structures."""

    operator: ClassVar[str] = "intersect"
    default_type: ClassVar[InterpretedType] = "ORGAN"

    def _operands(self) -> Iterator[str]:
        yield from self.intersect

    def _words(self) -> str:
        return f"intersection of {_listed(self.intersect)}"


class Subtract(_Recipe):
    """The first structure without the others."""

    subtract: Annotated[tuple[Name, ...], Field(min_length=2)]
    """The structures."""

    operator: ClassVar[str] = "subtract"
    default_type: ClassVar[InterpretedType] = "ORGAN"

    def _operands(self) -> Iterator[str]:
        yield from self.subtract

    def _words(self) -> str:
        return f"{self.subtract[0]} without {_listed(self.subtract[1:])}"


class Ring(_Recipe):
    """A shell around a structure, between two distances from its surface."""

    ring: Name
    """The structure."""
    from_mm: Annotated[float, Field(ge=0, le=MOST_MM)] = 0.0
    """Distance at which the ring begins."""
    to_mm: Millimetres
    """Distance at which the ring ends."""

    operator: ClassVar[str] = "ring"
    default_type: ClassVar[InterpretedType] = "CONTROL"

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.from_mm >= self.to_mm:
            raise ValueError(f"from_mm {self.from_mm:g} must be below to_mm {self.to_mm:g}")
        return self

    def _operands(self) -> Iterator[str]:
        yield self.ring

    def _words(self) -> str:
        return f"ring from {self.from_mm:g} to {self.to_mm:g} mm around {self.ring}"


class Wall(_Recipe):
    """The outermost layer of a structure."""

    wall: Name
    """The structure."""
    mm: Millimetres
    """Thickness, measured inwards."""

    operator: ClassVar[str] = "wall"
    default_type: ClassVar[InterpretedType] = "CONTROL"

    def _operands(self) -> Iterator[str]:
        yield self.wall

    def _words(self) -> str:
        return f"wall of {self.wall}, {self.mm:g} mm thick"


class Slices(_Recipe):
    """The part of a structure between two planes across the patient."""

    slices: Name
    """The structure."""
    superior: Plane | None = Field(default=None, exclude_if=_unset)
    """The plane above which nothing is kept; null: no limit."""
    inferior: Plane | None = Field(default=None, exclude_if=_unset)
    """The plane below which nothing is kept; null: no limit."""

    operator: ClassVar[str] = "slices"
    default_type: ClassVar[InterpretedType] = "ORGAN"

    @model_validator(mode="after")
    def _limited(self) -> Self:
        if self.superior is None and self.inferior is None:
            raise ValueError("give `superior`, `inferior` or both")
        return self

    def renamed(self, name_of: Callable[[str], str]) -> Self:
        """The recipe with other names of its parents."""
        planes = {
            side: plane.model_copy(update={"of": name_of(plane.of)})
            for side, plane in (("superior", self.superior), ("inferior", self.inferior))
            if plane is not None and plane.of is not None
        }
        return super().renamed(name_of).model_copy(update=planes)

    def _operands(self) -> Iterator[str]:
        yield self.slices
        for plane in (self.superior, self.inferior):
            if plane is not None and plane.of is not None:
                yield plane.of

    def _words(self) -> str:
        limits = []
        if self.superior is not None:
            limits.append(f"up to {self.superior.words('superior')}")
        if self.inferior is not None:
            limits.append(f"down to {self.inferior.words('inferior')}")
        return f"{self.slices} {' and '.join(limits)}"


KINDS: Mapping[str, type[_Recipe]] = {
    kind.operator: kind for kind in (Grow, Shrink, Union, Intersect, Subtract, Ring, Wall, Slices)
}
"""Recipes by the key that names their operator."""


def _operator(value: Any) -> str | None:
    """The operator of a recipe, None where it has none or several."""
    if isinstance(value, _Recipe):
        return value.operator
    found = [name for name in KINDS if isinstance(value, Mapping) and name in value]
    return found[0] if len(found) == 1 else None


Recipe = Annotated[
    Annotated[Grow, Tag("grow")]
    | Annotated[Shrink, Tag("shrink")]
    | Annotated[Union, Tag("union")]
    | Annotated[Intersect, Tag("intersect")]
    | Annotated[Subtract, Tag("subtract")]
    | Annotated[Ring, Tag("ring")]
    | Annotated[Wall, Tag("wall")]
    | Annotated[Slices, Tag("slices")],
    Discriminator(
        _operator,
        custom_error_type="recipe_operator",
        custom_error_message=f"a recipe needs exactly one operator of {', '.join(KINDS)}",
    ),
]
"""One recipe, by its operator."""

Structures = Annotated[
    tuple[Annotated[dict[Name, Recipe], Field(min_length=1, max_length=1)], ...],
    Field(max_length=MOST_STRUCTURES),
]
"""Derived structures in their order: entries of one name and its recipe."""


def _margins(mm: float | Directions) -> Margins:
    return mm.margins if isinstance(mm, Directions) else Margins.uniform(mm)


def _mm_words(mm: float | Directions) -> str:
    if not isinstance(mm, Directions):
        return f"{mm:g} mm"
    given = {side.value: size for side, size in mm.margins if size}
    if mm.lateral:
        given = {"lateral": mm.lateral} | {
            side: size for side, size in given.items() if side not in ("left", "right")
        }
    return ", ".join(f"{size:g} mm {side}" for side, size in given.items())


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
