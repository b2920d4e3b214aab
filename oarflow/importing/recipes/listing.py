"""Each recipe with its organs, and whether its weights are present."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from oarflow.importing.errors import NotImportedError
from oarflow.importing.recipes.recipe import ImportRecipe, programs, read_recipes
from oarflow.importing.recipes.weights import MissingWeightsError, find_weights


@dataclass(frozen=True)
class RecipeRow:
    """A recipe. program, number, task: the words of `models import`.

    licences: by variant of the weights. weights: unusable if they are of another version. folders:
    where they are, by variant. problem: why they cannot be used, and what to do. fetch: the other
    program's command. imported: whether the models folder has the network.
    """

    program: str
    number: int
    task: str
    organs: tuple[str, ...]
    licences: dict[str, str]
    licence_number: bool
    weights: Literal["present", "missing", "unusable"]
    folders: dict[str, str]
    problem: str
    fetch: str
    imported: bool


def recipe_rows(networks: Collection[str], environment: Mapping[str, str]) -> Iterator[RecipeRow]:
    """All recipes. networks: names of folders of the models folder. environment: variables."""
    for key in programs():
        for recipe in read_recipes(key).values():
            yield _row(recipe, recipe.name in networks, environment)


def _row(recipe: ImportRecipe, imported: bool, environment: Mapping[str, str]) -> RecipeRow:
    folders: dict[str, str] = {}
    problems: list[NotImportedError] = []
    for variant in recipe.terms:
        try:
            found = find_weights(recipe, environment, variant=variant)
            folders[found.variant] = str(found.folder)
        except NotImportedError as error:
            problems.append(error)
    wrong = [error for error in problems if not isinstance(error, MissingWeightsError)]
    problem = "" if folders else str((wrong or problems)[0])
    return RecipeRow(
        program=recipe.key,
        number=recipe.number,
        task=recipe.task,
        organs=tuple(recipe.organs),
        licences={name: terms.name for name, terms in recipe.terms.items()},
        licence_number=any(terms.number for terms in recipe.terms.values()),
        weights="present" if folders else "unusable" if wrong else "missing",
        folders=folders,
        problem=problem,
        fetch=recipe.fetch(),
        imported=imported,
    )
