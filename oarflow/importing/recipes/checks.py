"""Whether a result folder is the one that a recipe was written for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from oarflow.importing.errors import NotImportedError
from oarflow.importing.nnunet.folder import ResultFolder
from oarflow.importing.recipes.recipe import ImportRecipe
from oarflow.organs import Catalogue

SPACING_TOLERANCE = 0.005
"""Greatest difference of the plans' spacing, as a share of the recipe's."""


def check_folder(
    found: ResultFolder, recipe: ImportRecipe, catalogue: Catalogue
) -> tuple[str, ...]:
    """Remarks on a folder that fits. Raises NotImportedError naming what is different."""
    try:
        _check_input(found, recipe)
        return _check_labels(found, recipe, catalogue)
    except NotImportedError as error:
        program = recipe.program
        raise NotImportedError(
            f"{found.path} is not what {program.title} {program.version} uses: {error}; update"
            f" {program.title}, move the folder {recipe.folder} away and fetch it again with"
            f" `{recipe.fetch()}`"
        ) from None


def _check_input(found: ResultFolder, recipe: ImportRecipe) -> None:
    plans = found.configured
    spacing = [0.0] * len(plans.spacing_mm)
    for axis, step in zip(plans.transpose, plans.spacing_mm, strict=False):
        spacing[min(axis, len(spacing) - 1)] = step
    pairs = zip(spacing, recipe.spacing_mm, strict=False)
    if len(spacing) != 3 or any(abs(a - b) > SPACING_TOLERANCE * b for a, b in pairs):
        raise NotImportedError(
            f"its voxels have {_millimetres(spacing)} mm instead of"
            f" {_millimetres(recipe.spacing_mm)} mm (z, y, x)"
        )
    if plans.normalization.scheme != "ct":
        raise NotImportedError("it does not normalize CTs by nnU-Net's CTNormalization")
    if found.labels.regions is not None:
        raise NotImportedError("it predicts regions instead of labels")


def _check_labels(
    found: ResultFolder, recipe: ImportRecipe, catalogue: Catalogue
) -> tuple[str, ...]:
    """The order of labels decides, as in the program itself; names in the folder may differ."""
    names = found.labels.names
    if len(names) != len(recipe.labels):
        raise NotImportedError(f"it has {len(names)} labels instead of {len(recipe.labels)}")
    known = {_folded(name) for name in recipe.labels}
    other = []
    for number, name in names.items():
        wanted = recipe.labels[number - 1]
        if _folded(name) == _folded(wanted):
            continue
        meant = catalogue.resolve(name)
        if _folded(name) in known or (meant and meant.name not in _organs(recipe, wanted)):
            raise NotImportedError(f"its label {number} is {name!r:.60} instead of {wanted!r}")
        other.append(f"{number} {name!r:.60} for {wanted}")
    if not other:
        return ()
    return (f"the folder names {len(other)} labels differently: {'; '.join(other)}",)


def _organs(recipe: ImportRecipe, label: str) -> set[str]:
    return {organ for organ, given in recipe.sided.items() if label in given.labels}


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _millimetres(spacing: Iterable[float]) -> str:
    return " x ".join(f"{step:g}" for step in spacing)
