"""Derived structures of the settings: names by TG-263, parents, order."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from oarflow.derived.structures import DerivedStructure, derived_structures, structure_specs
from oarflow.errors import ConfigurationError
from oarflow.organs import load_catalogue
from oarflow.rtstruct.catalogue import catalogue_specs
from oarflow.run.settings import checked_settings

CATALOGUE = load_catalogue()


def structures(
    *entries: dict[str, Any], organs: Collection[str] | None = None
) -> tuple[DerivedStructure, ...]:
    settings = checked_settings({"structures": list(entries)}, "test")
    return derived_structures(settings.structures, CATALOGUE, organs)


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("SpinalCord_PRV05", {"grow": "SpinalCord", "mm": 5}),
        ("SpinalCord_PRV10", {"grow": "SpinalCord", "mm": 10}),
        ("SpinalCord_PRV", {"grow": "SpinalCord", "mm": 2.5}),
        ("Brainstem_PRV03", {"grow": "Brainstem", "mm": {"lateral": 3, "superior": 5}}),
        ("OpticNrv_PRV03_L", {"grow": "OpticNrv_L", "mm": 3}),
        ("OpticNrv_L_PRV03", {"grow": "OpticNrv_L", "mm": 3}),
        ("SpinalCord_PRV05", {"grow": "Myelon", "mm": 5}),
        ("Ring_Cord", {"ring": "SpinalCord", "to_mm": 5}),
    ],
)
def test_names_by_tg263(name: str, recipe: dict[str, Any]) -> None:
    assert [item.name for item in structures({name: recipe})] == [name]


@pytest.mark.parametrize(
    ("name", "recipe", "message"),
    [
        ("SpinalCord_PRV03", {"grow": "SpinalCord", "mm": 5}, "two digits: PRV05"),
        ("SpinalCord_PRV5", {"grow": "SpinalCord", "mm": 5}, "two digits: PRV05"),
        ("SpinalCord_PRV05", {"grow": "SpinalCord", "mm": {"left": 4, "right": 3}}, "PRV03 or"),
        ("SpinalCord_PRV05", {"grow": "Brainstem", "mm": 5}, "grows Brainstem: name it Brainstem_"),
        ("SpinalCord_PRV05", {"ring": "SpinalCord", "to_mm": 5}, "use `grow`"),
        ("SpinalCord_PRV05mm", {"grow": "SpinalCord", "mm": 5}, "ORGAN_PRV05"),
        ("SpinalCord_prv05", {"grow": "SpinalCord", "mm": 5}, "ORGAN_PRV05"),
        ("Brainstem", {"grow": "SpinalCord", "mm": 5}, "name of the organ Brainstem"),
        ("left parotid", {"grow": "SpinalCord", "mm": 5}, "name of the organ Parotid_L"),
        ("X", {"grow": "Spinalcorde", "mm": 5}, "neither an organ nor a structure; did you mean"),
        ("X", {"grow": "Parotid", "mm": 5}, "'Parotid' is neither"),
        ("X", {"wall": "Larynx", "mm": 5, "within": "Nowhere"}, "'Nowhere' is neither"),
        ("X", {"slices": "Larynx", "superior": {"of": "Nowhere"}}, "'Nowhere' is neither"),
        ("X", {"grow": "X", "mm": 5}, "in a circle: X <- X"),
    ],
)
def test_what_is_wrong_is_an_error_before_the_run(
    name: str, recipe: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        structures({name: recipe})
    assert error.value.code == "STRUCTURES"


def test_two_structures_need_two_names() -> None:
    wall = {"wall": "Larynx", "mm": 3}
    for other in ("X", "x"):
        with pytest.raises(ConfigurationError, match="two structures are named 'X'"):
            structures({"X": wall}, {other: wall})


def test_structures_follow_their_parents_in_the_order_of_the_settings() -> None:
    found = structures(
        {"C": {"union": ["B", "Larynx"]}},
        {"D": {"wall": "Larynx", "mm": 3}},
        {"B": {"ring": "A", "to_mm": 3}},
        {"A": {"grow": "Larynx", "mm": 3}},
    )
    assert [item.name for item in found] == ["A", "B", "C", "D"]


def test_a_circle_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"in a circle: (A <- B <- A|B <- A <- B)"):
        structures({"A": {"grow": "B", "mm": 3}}, {"B": {"grow": "A", "mm": 3}})


def test_parents_are_requested_organs_where_organs_are_listed() -> None:
    crop = {"X": {"subtract": ["Larynx", "SpinalCord"]}}
    assert structures(crop, organs=("Larynx", "SpinalCord"))
    with pytest.raises(ConfigurationError, match="'X' needs SpinalCord, which `organs`"):
        structures(crop, organs=("Larynx",))


def test_many_layers_of_two_parents_are_ordered_at_once() -> None:
    entries: list[dict[str, Any]] = [{"S0": {"union": ["Larynx", "Brainstem"]}}]
    entries += [{"S1": {"wall": "S0", "mm": 1}}]
    entries += [{f"S{n}": {"union": [f"S{n - 1}", f"S{n - 2}"]}} for n in range(2, 100)]
    assert len(structures(*reversed(entries))) == 100


def test_colours_and_types_have_defaults() -> None:
    specs = catalogue_specs(CATALOGUE)
    found = structure_specs(
        structures(
            {"P": {"grow": "Larynx", "mm": 3}},
            {"Q": {"ring": "P", "to_mm": 3, "colour": [1, 2, 3], "type": "AVOIDANCE"}},
        ),
        specs,
    )
    assert list(found) == ["P", "Q"]
    assert found["P"].interpreted_type == "AVOIDANCE"
    assert all(a >= b for a, b in zip(found["P"].colour, specs["Larynx"].colour, strict=True))
    assert found["P"].colour != specs["Larynx"].colour
    assert (found["Q"].colour, found["Q"].interpreted_type) == ((1, 2, 3), "AVOIDANCE")


@pytest.mark.parametrize("name", ["a\\b", "a\nb", "n" * 65])
def test_a_name_that_dicom_cannot_hold_is_an_error(name: str) -> None:
    with pytest.raises(ConfigurationError):
        structure_specs(structures({name: {"wall": "Larynx", "mm": 3}}), catalogue_specs(CATALOGUE))
