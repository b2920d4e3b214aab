"""The regions of a run under the site's names, checked before the run."""

from __future__ import annotations

from typing import Any

import pytest

from oarflow.errors import ConfigurationError
from oarflow.organs import load_catalogue
from oarflow.rtstruct.specs import RoiSpec
from oarflow.run.rois import requested_structures, roi_specs
from oarflow.run.settings import checked_settings, requested_organs

CATALOGUE = load_catalogue()
ORGANS = ["SpinalCord", "Brainstem"]
PRV = {"SpinalCord_PRV05": {"grow": "SpinalCord", "mm": 5}}


def specs(**settings: Any) -> dict[str, RoiSpec]:
    checked = checked_settings({"organs": ORGANS, "structures": [PRV]} | settings, "test")
    organs = requested_organs(checked, (), CATALOGUE)
    structures = requested_structures(checked, organs, CATALOGUE)
    return roi_specs(checked, organs, structures, CATALOGUE)


def test_structures_follow_the_organs() -> None:
    assert list(specs()) == ["Brainstem", "SpinalCord", "SpinalCord_PRV05"]


def test_a_site_names_and_colours_structures_too() -> None:
    rois = {
        "prefix": "AI_",
        "names": {"SpinalCord_PRV05": "Cord+5"},
        "colours": {"SpinalCord_PRV05": [1, 2, 3]},
    }
    spec = specs(rois=rois)["SpinalCord_PRV05"]
    assert (spec.name, spec.colour) == ("AI_Cord+5", (1, 2, 3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rois": {"prefix": "A_"}}, "A_SpinalCord_PRV05' has 18 characters"),
        ({"rois": {"names": {"SpinalCord_PRV05": "Brainstem"}}}, "both named 'Brainstem'"),
        ({"structures": [{"Ring around cord": {"ring": "SpinalCord", "to_mm": 3}}]}, "letters"),
        ({"structures": [{"1Ring": {"ring": "SpinalCord", "to_mm": 3}}]}, "start with a letter"),
        ({"structures": [{"A_name_of_17_char": {"wall": "SpinalCord", "mm": 3}}]}, "17 char"),
        ({"structures": [{"X": {"wall": "Larynx", "mm": 3}}]}, "needs Larynx"),
    ],
)
def test_what_a_planning_system_would_not_accept_is_an_error(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        specs(**settings)


def test_a_parent_without_a_network_is_no_error_where_all_organs_are_requested() -> None:
    settings = checked_settings({"structures": [{"X": {"wall": "Larynx", "mm": 3}}]}, "test")
    assert requested_structures(settings, ("Brainstem",), CATALOGUE)
