"""Derived structures of a study: recipes carried out, and what is inherited from parents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from oarflow.derived import deriving
from oarflow.derived.deriving import derived
from oarflow.derived.operators import carried_out
from oarflow.derived.structures import derived_structures, structure_specs
from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.organs import load_catalogue
from oarflow.rtstruct.catalogue import catalogue_specs
from oarflow.rtstruct.contours import DEFAULT_OPTIONS
from oarflow.run.settings import checked_settings
from oarflow.structures import ProbabilityField, Segmentation, Status
from tests.oarflow.derived.shapes import cylinder, field_of, sphere, uneven_grid

GRID = uneven_grid((2.0, 3.0))
CATALOGUE = load_catalogue()
BODY = field_of(cylinder(40, 50), GRID)
BALL = field_of(sphere(12), GRID)


def organ(
    name: str, field: ProbabilityField | None, status: Status = Status.SEGMENTED
) -> Segmentation:
    flags = (Flag.of(FlagCode.PATCH_EDGE),) if status is Status.SUSPICIOUS else ()
    return Segmentation(name, status, field, flags=flags)


def made(entries: list[dict[str, Any]], *organs: Segmentation) -> dict[str, Segmentation]:
    settings = checked_settings({"structures": entries}, "test")
    structures = derived_structures(settings.structures, CATALOGUE, None)
    specs = catalogue_specs(CATALOGUE)
    specs |= structure_specs(structures, specs)
    found = derived(GRID, organs, structures, specs, DEFAULT_OPTIONS)
    assert [item.organ for item in found] == [item.name for item in structures]
    return {item.organ: item for item in found}


def mask(item: Segmentation) -> NDArray[np.bool_]:
    assert item.field is not None
    return item.field.full_mask(GRID.shape)


def test_every_operator_makes_what_it_says() -> None:
    """Truth by formula, away from surfaces by half a voxel's diagonal."""
    found = made(
        [
            {"G": {"grow": "Larynx", "mm": 5}},
            {"S": {"shrink": "Larynx", "mm": 4}},
            {"U": {"union": ["G", "Brain"]}},
            {"I": {"intersect": ["G", "Brain"]}},
            {"D": {"subtract": ["Brain", "G"]}},
            {"R": {"ring": "Larynx", "from_mm": 4, "to_mm": 12, "within": "Brain"}},
            {"W": {"wall": "Larynx", "mm": 4}},
            {"L": {"slices": "Larynx", "superior": {"end": "inferior", "mm": 9}}},
        ],
        organ("Larynx", BALL),
        organ("Brain", BODY),
    )
    z, y, x = GRID.axis_mm(0)[:, None, None], GRID.axis_mm(1)[:, None], GRID.axis_mm(2)
    ball, body = sphere(12)(z, y, x), cylinder(40, 50)(z, y, x)
    low = GRID.offsets_mm[np.flatnonzero(BALL.mask.any(axis=(1, 2)))[0]]
    truth = {
        "G": ball + 5,
        "S": ball - 4,
        "U": np.maximum(ball + 5, body),
        "I": np.minimum(ball + 5, body),
        "D": np.minimum(body, -ball - 5),
        "R": np.minimum(np.minimum(ball + 12, -ball - 4), body),
        "W": np.minimum(ball, 4 - ball),
        "L": np.minimum(ball, low + 9 - z),
    }
    for name, distance in truth.items():
        assert found[name].status is Status.SEGMENTED, name
        clear = np.abs(distance) > 1.9
        assert (mask(found[name]) == (distance > 0))[clear].all(), name
        assert found[name].recipe
        assert found[name].volume_cc > 0
    assert found["R"].parents == ("Larynx", "Brain")


@pytest.mark.parametrize(
    ("status", "expected", "code"),
    [
        (Status.SUSPICIOUS, Status.SUSPICIOUS, FlagCode.PARENT_SUSPICIOUS),
        (Status.TRUNCATED, Status.TRUNCATED, FlagCode.PARENT_TRUNCATED),
    ],
)
def test_doubts_are_inherited_through_all_generations(
    status: Status, expected: Status, code: FlagCode
) -> None:
    found = made(
        [{"A": {"grow": "Larynx", "mm": 3}}, {"B": {"union": ["A", "Brain"]}}],
        organ("Larynx", BALL, status),
        organ("Brain", BODY),
    )
    assert [found[name].status for name in "AB"] == [expected, expected]
    assert [[flag.code for flag in found[name].flags] for name in "AB"] == [[code], [code]]
    assert found["A"].flags[0].values["parent"] == "Larynx"
    assert found["B"].flags[0].values["parent"] == "A"


@pytest.mark.parametrize("status", [Status.ABSENT, Status.FAILED, Status.NO_MODEL])
def test_without_a_parent_there_is_no_structure(status: Status) -> None:
    found = made(
        [{"A": {"grow": "Larynx", "mm": 3}}, {"B": {"union": ["A", "Brain"]}}],
        organ("Larynx", None, status),
        organ("Brain", BODY),
    )
    assert [found[name].status for name in "AB"] == [Status.NOT_DERIVED] * 2
    (flag,) = found["A"].flags
    assert (flag.code, flag.values["parent"]) == (FlagCode.PARENT_MISSING, "Larynx")
    assert flag.values["status"] == status.replace("_", " ")
    assert found["B"].flags[0].values["status"] == "not derived"


def test_an_organ_that_was_not_requested_is_missing_too() -> None:
    found = made([{"A": {"grow": "Larynx", "mm": 3}}], organ("Brain", BODY))
    assert found["A"].status is Status.NOT_DERIVED
    assert found["A"].flags[0].values["status"] == "no model"


def test_a_recipe_that_leaves_nothing_says_so() -> None:
    found = made([{"A": {"shrink": "Larynx", "mm": 20}}], organ("Larynx", BALL))
    assert found["A"].status is Status.NOT_DERIVED
    assert found["A"].flags[0].message == (
        "Not made: the recipe leaves no voxel (Larynx shrunk by 20 mm)."
    )


def test_an_error_costs_one_structure_only(monkeypatch: pytest.MonkeyPatch) -> None:
    real = carried_out

    def broken(recipe: Any, *args: Any) -> Any:
        if recipe.operator == "wall":
            raise ZeroDivisionError
        return real(recipe, *args)

    monkeypatch.setattr(deriving, "carried_out", broken)
    found = made(
        [{"A": {"wall": "Larynx", "mm": 3}}, {"B": {"grow": "Larynx", "mm": 3}}],
        organ("Larynx", BALL),
    )
    assert [flag.code for flag in found["A"].flags] == [FlagCode.RECIPE_ERROR]
    assert found["B"].status is Status.SEGMENTED


def test_a_margin_that_leaves_the_ct_is_truncated() -> None:
    edge = field_of(sphere(10, (60, 60, 107)), GRID)  # 2 mm from the CT's left edge
    found = made([{"A": {"grow": "Larynx", "mm": 5}}], organ("Larynx", edge))
    assert found["A"].status is Status.TRUNCATED
    assert [flag.brief for flag in found["A"].flags] == ["FIELD_OF_VIEW left"]


def test_small_islands_that_are_not_contoured_get_no_margin() -> None:
    least = CATALOGUE.organ("Larynx").minimum_island_cc
    assert least > 0.01
    crumb = field_of(sphere(1.6, (60, 20, 20)), GRID)
    values = np.maximum(BALL.values, crumb.values)
    found = made(
        [{"A": {"grow": "Larynx", "mm": 3}}], organ("Larynx", replace(BALL, values=values))
    )
    assert not mask(found["A"])[:, :40, :40].any()
