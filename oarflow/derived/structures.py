"""Derived structures of a run, checked: names, parents and their order."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from oarflow.derived.recipes import Grow, Recipe, Structures
from oarflow.errors import ConfigurationError
from oarflow.organs import Catalogue
from oarflow.rtstruct.specs import RoiSpec

PRV = re.compile(r"(?P<organ>.+?)_PRV(?P<mm>\d*)(?P<side>_[LR])?")
"""TG-263's name of a planning organ at risk volume: two digits are its margin in mm. The side of
an organ may come last."""

LIGHTER = 0.45
"""Share of white in the colour of a structure without a colour of its own."""


@dataclass(frozen=True)
class DerivedStructure:
    """A structure and its recipe. Parents are catalogue organs or earlier structures."""

    name: str
    recipe: Recipe


def derived_structures(
    structures: Structures, catalogue: Catalogue, organs: Collection[str] | None
) -> tuple[DerivedStructure, ...]:
    """The structures of the settings, parents before children, under their parents' own names.

    organs: the only ones that may be parents; None: all of the catalogue.
    Raises ConfigurationError (STRUCTURES).
    """
    named = [entry for mapping in structures for entry in mapping.items()]
    names = [name for name, _ in named]
    _check_names(names, catalogue)
    recipes = {
        name: _with_own_names(recipe, catalogue, names, f"structure {name!r}")
        for name, recipe in named
    }
    for name, recipe in recipes.items():
        if organs is not None:
            _check_parents(name, recipe, names, organs)
        _check_prv(name, recipe)
    return tuple(DerivedStructure(name, recipes[name]) for name in _ordered(recipes))


def structure_specs(
    structures: Sequence[DerivedStructure], specs: Mapping[str, RoiSpec]
) -> dict[str, RoiSpec]:
    """A spec for every structure. specs: of the organs. Raises ConfigurationError (STRUCTURES)."""
    found = dict(specs)
    for item in structures:
        recipe = item.recipe
        try:
            found[item.name] = RoiSpec(
                organ=item.name,
                name=item.name,
                colour=recipe.colour or _lighter(found[recipe.parents[0]].colour),
                interpreted_type=recipe.type or recipe.default_type,
            )
        except ValueError as error:
            raise _error(str(error)) from error
    return {item.name: found[item.name] for item in structures}


def _lighter(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    red, green, blue = (round(part + LIGHTER * (255 - part)) for part in colour)
    return red, green, blue


def _check_names(names: Sequence[str], catalogue: Catalogue) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.casefold(), name)) != name or names.count(name) > 1:
            raise _error(f"two structures are named {other!r}")
        organ = catalogue.resolve(name)
        if organ is not None:
            raise _error(f"structure {name!r} has the name of the organ {organ.name}")


def _with_own_names(recipe: Recipe, catalogue: Catalogue, names: Sequence[str], who: str) -> Recipe:
    """The recipe with catalogue names in place of other names of organs."""

    def own(name: str) -> str:
        if name in names:
            return name
        organ = catalogue.resolve(name)
        if organ is None:
            near = difflib.get_close_matches(name, (*names, *catalogue.names), n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise _error(f"{who}: {name!r} is neither an organ nor a structure{hint}")
        return organ.name

    return recipe.renamed(own)


def _check_parents(
    name: str, recipe: Recipe, names: Sequence[str], organs: Collection[str]
) -> None:
    missing = [parent for parent in recipe.parents if parent not in (*names, *organs)]
    if missing:
        raise _error(
            f"structure {name!r} needs {' and '.join(missing)}, which `organs` does not name"
        )


def _check_prv(name: str, recipe: Recipe) -> None:
    """TG-263: a PRV is an organ with a margin; the digits after PRV are the margin in mm."""
    found = PRV.fullmatch(name)
    if found is None:
        if "_PRV" in name.upper():
            raise _error(f"structure {name!r}: TG-263 names it ORGAN_PRV05 for a margin of 5 mm")
        return
    if not isinstance(recipe, Grow):
        raise _error(f"structure {name!r}: a PRV is a structure with a margin: use `grow`")
    if recipe.grow != found["organ"] + (found["side"] or ""):
        raise _error(f"structure {name!r} grows {recipe.grow}: name it {recipe.grow}_PRV...")
    if not found["mm"]:
        return
    sizes = {mm for _, mm in recipe.margins if mm}
    if len(found["mm"]) != 2 or float(found["mm"]) not in sizes:
        digits = " or ".join(f"PRV{mm:02g}" for mm in sorted(sizes))
        raise _error(f"structure {name!r} does not name its margin in mm with two digits: {digits}")


def _ordered(recipes: Mapping[str, Recipe]) -> tuple[str, ...]:
    """Names in the order of the settings, but each after its parents. Raises ConfigurationError."""
    graph = {
        name: [parent for parent in recipe.parents if parent in recipes]
        for name, recipe in recipes.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " <- ".join(error.args[1])
        raise _error(f"structures follow each other in a circle: {circle}") from error
    done: dict[str, None] = {}

    def add(name: str) -> None:
        if name in done:
            return
        for parent in graph[name]:
            add(parent)
        done[name] = None

    for name in recipes:
        add(name)
    return tuple(done)


def _error(message: str) -> ConfigurationError:
    return ConfigurationError("STRUCTURES", message)
