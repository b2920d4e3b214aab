"""`oarflow models import totalsegmentator|cads`: networks of public programs by recipe."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oarflow.errors import ExitStatus
from oarflow.importing.errors import NotImportedError
from oarflow.importing.export import new_folder, write_network
from oarflow.importing.organ_map import Assignment
from oarflow.importing.recipes.converting import converted
from oarflow.importing.recipes.recipe import ImportRecipe, chosen
from oarflow.importing.recipes.weights import FoundWeights, find_weights
from oarflow.importing.summary import import_summary
from oarflow.networks.card import Role
from oarflow.networks.cards import read_cards
from oarflow.networks.imported.card import ImportedCard
from oarflow.networks.rule_card import read_rules
from oarflow.organs import Catalogue, load_catalogue

LICENCE_NUMBER = r"[A-Za-z0-9_-]{8,64}"


@dataclass(frozen=True)
class PlannedImport:
    """A recipe with everything that is checked before the first network is read."""

    recipe: ImportRecipe
    weights: FoundWeights
    target: Path


def import_by_recipe(flags: argparse.Namespace) -> int:
    """Import the networks of a task, one after another. Returns the exit status.

    Raises NotImportedError, Refusal, ConfigurationError, OSError.
    """
    catalogue = load_catalogue(flags.models)
    planned = [_planned(recipe, flags) for recipe in chosen(flags.form, flags.task)]
    for item in planned:
        sys.stdout.write(_imported(item, catalogue, flags))
    return ExitStatus.WRITTEN


def _planned(recipe: ImportRecipe, flags: argparse.Namespace) -> PlannedImport:
    weights = find_weights(recipe, os.environ, flags.weights, flags.variant)
    _check_licence(recipe, weights, flags.licence_number)
    return PlannedImport(recipe, weights, new_folder(flags.models, recipe.name))


def _check_licence(recipe: ImportRecipe, weights: FoundWeights, number: str | None) -> None:
    """The number itself is neither kept nor shown."""
    if not weights.terms.number:
        return
    if number is None:
        raise NotImportedError(
            f"{recipe.task} needs a licence number of {recipe.program.title}: get one from"
            f" {recipe.program.number_from} and state it with --licence-number"
        )
    if not re.fullmatch(LICENCE_NUMBER, number):
        raise NotImportedError(
            "the licence number has other characters than letters, digits, _ and -, or not 8 to 64"
        )


def _imported(item: PlannedImport, catalogue: Catalogue, flags: argparse.Namespace) -> str:
    """Import one network. Returns the summary."""
    whole = item.recipe.assignment(catalogue)
    own, others = contoured_by(flags.models)
    left = tuple(c for c in whole.contours if c.organ not in others)
    taken = [f"{organ} ({others[organ]})" for organ in _organs(whole) if organ in others]
    if not left:
        raise NotImportedError(
            f"{item.recipe.name}: imported networks contour all its organs already:"
            f" {', '.join(taken)}; remove the folder of one that you do not want"
        )
    assignment = Assignment(left, whole.unused)
    made = converted(item.recipe, item.weights, assignment, catalogue, flags.probe)
    write_network(item.target, made.content, made.card)
    used = {
        organ: f"not used: {own[organ]} contours it"
        for organ in _organs(assignment)
        if organ in own
    }
    summary = import_summary(item.target, made.card, assignment, used, made.found.remarks)
    if taken:
        summary += f"left out, because imported networks contour them: {', '.join(taken)}\n"
    return summary


def contoured_by(models: Path) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """By organ, the rule or network of OARflow's own, and the imported network that contour it."""
    own: dict[str, str] = {}
    others: dict[str, str] = {}
    for name, card in read_cards(models).items():
        if card.role is Role.SEGMENTER:
            table = others if isinstance(card, ImportedCard) else own
            table |= dict.fromkeys(card.organs, name)
    for name, rule in read_rules(models).items():
        own |= dict.fromkeys(rule.organs, f"the rule {name}")
    return own, others


def _organs(assignment: Assignment) -> tuple[str, ...]:
    return tuple(contour.organ for contour in assignment.contours)
