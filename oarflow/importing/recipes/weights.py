"""Where another program keeps the weights of a recipe's network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from oarflow.importing.errors import NotImportedError
from oarflow.importing.recipes.recipe import ImportRecipe, LicenceTerms, PublicProgram


class MissingWeightsError(NotImportedError):
    """The weights are not on this computer. The message names the command that fetches them."""


@dataclass(frozen=True)
class FoundWeights:
    """A result folder of nnU-Net. variant: of the weights; "" for a program with one."""

    folder: Path
    variant: str
    terms: LicenceTerms


def find_weights(
    recipe: ImportRecipe,
    environment: Mapping[str, str],
    given: Path | None = None,
    variant: str | None = None,
) -> FoundWeights:
    """The weights of a recipe in the program's own folder.

    environment: variables that may name that folder. given: look there instead. variant: the only
    one to take. Raises MissingWeightsError, NotImportedError for weights of another version.
    """
    root = given or _root(recipe, environment)
    if root.name == recipe.folder:
        root = root.parent
    folders = {
        name: folder
        for name, folder in _folders(recipe, root)
        if variant in (None, name) and (folder / recipe.folder).is_dir()
    }
    if not folders:
        raise _absent(recipe, root, variant)
    if len(folders) > 1:
        raise NotImportedError(
            f"{root} holds {recipe.folder} in several variants: choose one of"
            f" {', '.join(folders)} with --variant"
        )
    name, folder = folders.popitem()
    trained = folder / recipe.folder / recipe.trained
    if not trained.is_dir():
        raise _other_version(recipe, folder / recipe.folder, recipe.trained, name)
    return FoundWeights(trained, name, recipe.terms[name])


def _root(recipe: ImportRecipe, environment: Mapping[str, str]) -> Path:
    """The folder that the program itself would use."""
    program = recipe.program
    for place in program.places:
        if not place.variable:
            return Path.home() / place.below
        if environment.get(place.variable):
            return Path(environment[place.variable]) / place.below
    raise MissingWeightsError(
        f"the folder of {program.title}'s weights is unknown: fetch them with `{recipe.fetch()}`,"
        f" then name it with --weights or in {_variables(program)}"
    )


def _folders(recipe: ImportRecipe, root: Path) -> Iterator[tuple[str, Path]]:
    """Each variant with the folders in which its weights may be."""
    for name in recipe.terms:
        yield name, root / name
    if "" not in recipe.terms:
        yield (root.name if root.name in recipe.terms else recipe.program.unsorted), root


def _absent(recipe: ImportRecipe, root: Path, variant: str | None) -> NotImportedError:
    """Another version of the data set's folder is there, or none."""
    for name, folder in _folders(recipe, root):
        others = sorted(folder.glob(f"Dataset{recipe.number:03d}_*"))
        if others and variant in (None, name):
            return _other_version(recipe, others[0], recipe.folder, name)
    return MissingWeightsError(
        f"the weights of {recipe.name} are missing: {root} has no {recipe.folder}; fetch them with"
        f" `{recipe.fetch(variant or '')}`, or name their folder with --weights"
    )


def _other_version(
    recipe: ImportRecipe, found: Path, wanted: str, variant: str
) -> NotImportedError:
    program = recipe.program
    return NotImportedError(
        f"{found} is not of {program.title} {program.version}, whose weights are in {wanted}:"
        f" update {program.title}, move this folder away and fetch the weights again with"
        f" `{recipe.fetch(variant)}`"
    )


def _variables(program: PublicProgram) -> str:
    return " or ".join(place.variable for place in program.places if place.variable)
