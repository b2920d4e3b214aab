"""A network and its card by a recipe: the program's own steps, its licence and its origin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from oarflow.importing.errors import NotImportedError
from oarflow.importing.nnunet.convert import convert
from oarflow.importing.nnunet.folder import ResultFolder, read_folder
from oarflow.importing.organ_map import Assignment
from oarflow.importing.orientation import with_proof
from oarflow.importing.recipes.checks import check_folder
from oarflow.importing.recipes.recipe import ImportRecipe, LicenceTerms
from oarflow.importing.recipes.weights import FoundWeights
from oarflow.importing.statement import Statement
from oarflow.networks.imported.card import ImportedCard, SplineResampling
from oarflow.organs import Catalogue


@dataclass(frozen=True, eq=False)
class ConvertedNetwork:
    """The content of model.ts, its card, and the folder that both come from."""

    content: bytes
    card: ImportedCard
    found: ResultFolder


def converted(
    recipe: ImportRecipe,
    weights: FoundWeights,
    assignment: Assignment,
    catalogue: Catalogue,
    probe: Path | None,
) -> ConvertedNetwork:
    """A network by its recipe. probe: folder of the CT that proves its orientation; None: sample.

    Raises NotImportedError, Refusal, ConfigurationError, OSError.
    """
    found = read_folder(weights.folder, [recipe.fold])
    remarks = check_folder(found, recipe, catalogue)
    terms = weights.terms
    orientation = recipe.program.orientation
    statement = Statement(recipe.name, orientation, _licence(terms), terms.commercial)
    content, plain = convert(found, statement, assignment.contours)
    card = ImportedCard.model_validate(plain.model_dump() | _steps(recipe, plain, weights.variant))
    try:
        card = with_proof(card, content, probe, known_recipe=True)
    except NotImportedError as error:
        raise NotImportedError(
            f"{recipe.name}: {error}. The recipe states orientation and labels. If the CT shows a"
            f" usual head and neck, fetch the weights again with `{recipe.fetch(weights.variant)}`"
        ) from None
    return ConvertedNetwork(
        content, card, replace(found, remarks=(*found.remarks, *remarks, *_notes(recipe)))
    )


def _steps(recipe: ImportRecipe, card: ImportedCard, variant: str) -> dict[str, Any]:
    """Fields of the card that keep the program's own steps, and say where the network is from."""
    program = recipe.program
    words = f"{program.title} {program.version}, {recipe.number} {recipe.task}"
    image = SplineResampling(order=program.image_order, align="corners")
    return {
        "image_resampling": image.model_dump(),
        "logits_resampling": SplineResampling(order=0, align="corners").model_dump(),
        "resampled": "whole hu",
        "step": recipe.step,
        "mirror_axes": (),
        "crop": recipe.crop.model_dump(),
        "source": card.source.model_dump()
        | {"origin": f"{words}{f', {variant}' if variant else ''}: {card.source.origin}"},
        "note": ". ".join(_notes(recipe)),
    }


def _licence(terms: LicenceTerms) -> str:
    return f"{terms.name}, licence number stated" if terms.number else terms.name


def _notes(recipe: ImportRecipe) -> tuple[str, ...]:
    return (f"not done by OARflow: {recipe.not_done}",) if recipe.not_done else ()
