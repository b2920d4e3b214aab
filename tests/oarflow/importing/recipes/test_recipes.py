"""The recipes' files: labels and organs against the programs' tables, sides, and strict reading."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from oarflow.commands.import_flags import CADS_VARIANTS
from oarflow.importing.errors import NotImportedError
from oarflow.importing.recipes.recipe import (
    ImportRecipe,
    WeightsPlace,
    chosen,
    programs,
    read_recipes,
)
from oarflow.networks.cards import read_cards
from oarflow.organs import Catalogue, load_catalogue

RECIPES = [recipe for key in programs() for recipe in read_recipes(key).values()]
TOTALSEGMENTATOR = [recipe for recipe in RECIPES if recipe.key == "totalsegmentator"]

# Structures by part, from CADS's README and its table of labels.
CADS_LABELS = {551: 17, 552: 24, 553: 18, 554: 21, 555: 24, 556: 15, 557: 9, 558: 29, 559: 10}

UNIONS = {
    ("totalsegmentator", 291): {
        "Lung_L": ["lung_upper_lobe_left", "lung_lower_lobe_left"],
        "Lung_R": [f"lung_{part}_lobe_right" for part in ("upper", "middle", "lower")],
    },
    ("totalsegmentator", 299): {"External": ["body_trunc", "body_extremities"]},
    ("totalsegmentator", 778): {
        "Musc_Constrict": [
            f"{part}_pharyngeal_constrictor" for part in ("superior", "middle", "inferior")
        ]
    },
    ("cads", 558): {"Eye_L": ["OAR_Eye_AL", "OAR_Eye_PL"], "Eye_R": ["OAR_Eye_AR", "OAR_Eye_PR"]},
}

LEFT_WORDS, RIGHT_WORDS = {"left", "l", "al", "pl"}, {"right", "r", "ar", "pr"}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def named(recipe: ImportRecipe) -> str:
    return recipe.name


def words(label: str) -> set[str]:
    return set(label.lower().replace("_", " ").split())


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_every_label_of_one_side_goes_to_an_organ_of_that_side(
    recipe: ImportRecipe, catalogue: Catalogue
) -> None:
    for organ, given in recipe.sided.items():
        side = catalogue.organ(organ).laterality
        for label in given.labels:
            found = words(str(label))
            sides = {
                name for name, these in (("L", LEFT_WORDS), ("R", RIGHT_WORDS)) if found & these
            }
            if side in ("L", "R"):
                split = {"left": "L", "right": "R"}.get(given.side or "")
                assert sides == ({side} if split is None else set()), (organ, label)
                assert split in (None, side)
            elif side == "midline":
                assert not sides, (organ, label)


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_pairs_are_complete(recipe: ImportRecipe, catalogue: Catalogue) -> None:
    for organ in recipe.organs:
        partner = catalogue.organ(organ).partner
        assert partner is None or partner in recipe.organs
    assert set(recipe.crop.organs) <= {
        *("Brainstem", "SpinalCord", "Parotid_L", "Parotid_R"),
        *("Esophagus", "Larynx", "Bone_Mandible"),
    }, "the shipped localizer knows no others"


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_a_label_with_an_organs_name_is_that_organ(
    recipe: ImportRecipe, catalogue: Catalogue
) -> None:
    """By the catalogue's own names and aliases, which know nothing of the recipes."""
    made_of = {organ: given.labels for organ, given in recipe.sided.items()}
    for label in recipe.labels:
        organ = catalogue.resolve(label)
        if organ is not None and organ.name in made_of:
            assert label in made_of[organ.name]


@pytest.mark.parametrize(("place", "unions"), UNIONS.items())
def test_unions(place: tuple[str, int], unions: dict[str, list[str]]) -> None:
    recipe = read_recipes(place[0])[place[1]]
    for organ, labels in unions.items():
        assert list(recipe.sided[organ].labels) == labels


@pytest.mark.parametrize("recipe", TOTALSEGMENTATOR, ids=named)
def test_labels_and_names_are_those_of_the_table(recipe: ImportRecipe, shared_data: Path) -> None:
    """The table was made from TotalSegmentator's source and TG-263, not from the recipes."""
    table = shared_data / "nnunet" / "totalseg_hn.csv"
    if not table.is_file():
        pytest.skip("nnunet/totalseg_hn.csv is not in OARFLOW_DATA")
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["task_id"] == str(recipe.number)]
    assert [row["class"] for row in rows] == list(recipe.labels)
    spacing = {row["spacing_mm"] for row in rows}
    x, y, z = (float(step) for step in spacing.pop().split(" x "))
    assert recipe.spacing_mm == pytest.approx((z, y, x))
    tg263 = {row["class"]: row["tg263"].split(" ")[0] for row in rows}
    for organ, given in recipe.sided.items():
        names = {tg263[str(label)] for label in given.labels}
        special = {"Lung_L", "Lung_R", "Lungs", "Musc_Constrict"}
        if organ not in special and not organ.startswith("A_Carotid_"):
            assert names in ({organ}, {""}), organ


def test_organs_without_a_network_of_oarflows_own(catalogue: Catalogue) -> None:
    """Of the 41 organs of the papers without a shipped network or a rule for all CTs."""
    models = Path(__file__).resolve().parents[4] / "models"
    own = {organ for card in read_cards(models).values() for organ in card.organs}
    named = {organ.name for organ in catalogue if organ.sources} - own - {"Skin"}
    open_tasks = {o for r in TOTALSEGMENTATOR if r.licence is None for o in r.organs}
    cads = {organ for recipe in read_recipes("cads").values() for organ in recipe.organs}
    assert len(named & open_tasks) == 10  # and both A_Carotid, as unions of two networks' organs
    assert len(named & cads) == 25
    assert len(named & (open_tasks | cads)) == 30
    assert {"A_Carotid_Com_L", "A_Carotid_Int_L"} <= open_tasks


def test_cads_numbers_and_labels() -> None:
    recipes = read_recipes("cads")
    assert {number: len(recipe.labels) for number, recipe in recipes.items()} == CADS_LABELS
    head_and_neck = recipes[558]
    assert all(label.startswith("OAR_") for label in head_and_neck.labels)
    plain = {label.removeprefix("OAR_"): [label] for label in head_and_neck.labels}
    found = {organ: list(given.labels) for organ, given in head_and_neck.sided.items()}
    assert found == plain | UNIONS["cads", 558]
    assert tuple(head_and_neck.terms) == CADS_VARIANTS
    eyes = recipes[557].sided
    assert {organ: given.side for organ, given in eyes.items()} == {
        "Eye_L": "left",
        "Eye_R": "right",
    }
    assert {recipe.step for recipe in recipes.values()} == {0.5}


def test_tasks_are_chosen_by_number_and_by_name() -> None:
    total = chosen("totalsegmentator", "total")
    assert [recipe.number for recipe in total] == [291, 292, 293, 294, 295]
    assert {recipe.step for recipe in total} == {0.8}
    assert [recipe.number for recipe in chosen("totalsegmentator", "headneck_muscles")] == [
        778,
        779,
    ]
    assert [recipe.task for recipe in chosen("totalsegmentator", "115")] == [
        "craniofacial_structures"
    ]
    with pytest.raises(NotImportedError, match=r"no recipe 'teeth'; choose from 115 cranio"):
        chosen("totalsegmentator", "teeth")


def test_weights_are_sought_where_the_programs_keep_them() -> None:
    """TotalSegmentator's config.py and CADS's libs.py."""
    assert TOTALSEGMENTATOR[0].program.places == (
        WeightsPlace(variable="TOTALSEG_WEIGHTS_PATH"),
        WeightsPlace(variable="TOTALSEG_HOME_DIR", below="nnunet/results"),
        WeightsPlace(below=".totalsegmentator/nnunet/results"),
    )
    assert [place.variable for place in read_recipes("cads")[558].program.places] == [
        "CADS_WEIGHTS_PATH"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"organs": {"Eye_L": ["eye"]}}, "unknown label: eye"),
        ({"labels": ["eye_left", "eye_left"]}, "named twice"),
        ({"organs": {}}, "at least 1"),
        ({"spacing": [1, 1, 1]}, "spacing"),
        ({"fold": "1/.."}, "fold"),
        ({"folder": "../other"}, "folder"),
        ({"step": 0}, "step"),
    ],
)
def test_a_wrong_file_is_refused(change: dict[str, Any], said: str) -> None:
    document = read_recipes("totalsegmentator")[775].model_dump() | change
    with pytest.raises(ValidationError, match=said):
        ImportRecipe.model_validate(document)
