from __future__ import annotations

import copy
from importlib import resources
from typing import Any

import pytest
import yaml

from oarflow.errors import ConfigurationError
from oarflow.organs import load_catalogue
from oarflow.rtstruct.catalogue import catalogue_specs
from oarflow.rtstruct.contours import EmptyOrgan, HoleStyle
from oarflow.rtstruct.profile import (
    Evidence,
    SiteNames,
    load_profile,
    parse_profile,
    profile_names,
    site_specs,
)
from oarflow.rtstruct.specs import CodedConcept, RoiSpec
from tests.oarflow.rtstruct.hand import spec

SPECS = {name: spec(name) for name in ("Parotid_L", "Parotid_R", "SpinalCord")}
GENERIC = load_profile("generic")


def document() -> dict[str, Any]:
    text = (resources.files("oarflow.rtstruct") / "profiles" / "eclipse.yaml").read_text()
    return copy.deepcopy(yaml.safe_load(text))


def test_the_six_profiles_are_there() -> None:
    assert profile_names() == ("dicom", "eclipse", "generic", "monaco", "pinnacle", "raystation")


@pytest.mark.parametrize("name", profile_names())
def test_every_limit_says_whether_it_is_evidenced_and_from_what(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert len(profile.limits) == 9
    for limit in profile.limits.values():
        assert limit.evidence in Evidence
        assert len(limit.source) > 10
    assert profile.name_length == (64 if name == "dicom" else 16)
    assert profile.name_characters == ("text" if name == "dicom" else "plain")
    assert profile.label_length == 16
    assert profile.hole_style is HoleStyle.KEYHOLE
    assert profile.empty_organ is EmptyOrgan.OMIT


def test_a_profile_sets_the_options_of_contours() -> None:
    options = GENERIC.contour_options(tolerance_mm=0.05, interpolate_gaps=1)
    assert options.max_points == GENERIC.points_per_contour
    assert (options.decimals, options.tolerance_mm, options.interpolate_gaps) == (3, 0.05, 1)


def test_an_unknown_profile_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="eclipse, generic, monaco") as caught:
        load_profile("exlipse")
    assert caught.value.code == "PROFILE_UNKNOWN"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name_length", 65),
        ("label_length", 17),
        ("hole_style", "pin"),
        ("character_set", "ISO_IR 100"),
        ("empty_organ", "maybe"),
        ("name_characters", "latin"),
        ("points_per_contour", 0),
        ("unheard_of", 1),
    ],
)
def test_a_limit_out_of_range_or_unknown_is_an_error(key: str, value: object) -> None:
    changed = document()
    changed["limits"][key] = {"value": value, "evidence": "assumed", "source": "a test of limits"}
    with pytest.raises(ConfigurationError) as caught:
        parse_profile(changed)
    assert caught.value.code == "PROFILE_INVALID"


def test_a_limit_without_evidence_or_missing_is_an_error() -> None:
    for change in ("pop", "unmark"):
        changed = document()
        if change == "pop":
            changed["limits"].pop("decimals")
        else:
            changed["limits"]["decimals"].pop("evidence")
        with pytest.raises(ConfigurationError):
            parse_profile(changed)


@pytest.mark.parametrize("name", profile_names())
def test_the_whole_catalogue_can_be_written_under_every_profile(name: str) -> None:
    specs = catalogue_specs(load_catalogue())
    mapped = site_specs(specs, load_profile(name))
    assert mapped == specs
    assert len({entry.name.lower() for entry in mapped.values()}) == len(specs)
    assert all(entry.name.isascii() and len(entry.name) <= 16 for entry in mapped.values())


def test_sided_organs_of_the_catalogue_carry_their_side() -> None:
    specs = catalogue_specs(load_catalogue())
    assert specs["Parotid_L"].code is not None
    assert specs["Parotid_L"].code.modifier == CodedConcept("7771000", "SCT", "Left")
    assert specs["Brainstem"].code is not None
    assert specs["Brainstem"].code.modifier is None


def test_a_site_has_its_own_names_colours_and_prefix() -> None:
    site = SiteNames("AI_", {"SpinalCord": "Myelon"}, {"Parotid_L": (1, 2, 3)})
    mapped = site_specs(SPECS, GENERIC, site)
    assert [entry.name for entry in mapped.values()] == [
        "AI_Parotid_L",
        "AI_Parotid_R",
        "AI_Myelon",
    ]
    assert mapped["Parotid_L"].colour == (1, 2, 3)
    assert mapped["Parotid_L"].organ == "Parotid_L"
    assert list(mapped) == list(SPECS)


@pytest.mark.parametrize(
    ("site", "message"),
    [
        (SiteNames(names={"Parotid_L": "PAROTID_r"}), "both named"),
        (SiteNames(names={"Parotid_L": "Glandula_parotidea"}), "18 characters"),
        (SiteNames(prefix="AUTOMATIC_"), "allows 16"),
        (SiteNames(names={"Parotid_L": "Parotis/links"}), "Parotis/links"),
        (SiteNames(names={"Parotid_L": " Parotid"}), "start with a letter"),
        (SiteNames(names={"Parotid_L": "1st"}), "start with a letter"),
        (SiteNames(names={"Parotid_L": "Drüse"}), "start with a letter"),
        (SiteNames(prefix="_AI"), "prefix"),
        (SiteNames(names={"Parotis": "P"}), "Parotis"),
        (SiteNames(colours={"Parotid_L": (0, 0, 256)}), "256"),
    ],
)
def test_a_name_that_cannot_be_is_an_error_at_the_start(site: SiteNames, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        site_specs(SPECS, GENERIC, site)
    assert caught.value.code == "ROI_NAMES"


def test_only_the_organs_that_are_needed_must_have_names_that_fit() -> None:
    specs = catalogue_specs(load_catalogue())
    site = SiteNames(prefix="AI_")
    with pytest.raises(ConfigurationError, match="AI_Glnd_Lacrimal_L"):
        site_specs(specs, GENERIC, site)
    mapped = site_specs(specs, GENERIC, site, ("Parotid_R", "Parotid_L"))
    assert {organ: entry.name for organ, entry in mapped.items()} == {
        "Parotid_L": "AI_Parotid_L",
        "Parotid_R": "AI_Parotid_R",
    }
    with pytest.raises(ConfigurationError, match="AI_Glnd_Lacrimal_L"):
        site_specs(specs, GENERIC, site, ("Parotid_L", "Glnd_Lacrimal_L"))
    with pytest.raises(ConfigurationError, match="Parotis"):
        site_specs(specs, GENERIC, SiteNames(names={"Parotis": "P"}), ("Parotid_L",))


def test_an_interpreted_type_that_the_system_does_not_know_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="CAVITY"):
        site_specs({"A": spec("A", interpreted_type="CAVITY")}, GENERIC)


def test_the_standard_takes_names_of_any_script_and_with_spaces() -> None:
    site = SiteNames(names={"Parotid_L": "左耳下腺 1/2", "SpinalCord": "Myelon (neu)"})
    mapped = site_specs(SPECS, load_profile("dicom"), site)
    assert [entry.name for entry in mapped.values()] == [
        "左耳下腺 1/2",
        "Parotid_R",
        "Myelon (neu)",
    ]


@pytest.mark.parametrize("label", ["seventeen letters", "", " x", "naïve"])
def test_a_label_that_does_not_fit_is_an_error(label: str) -> None:
    GENERIC.check_label("OARflow")
    with pytest.raises(ConfigurationError) as caught:
        GENERIC.check_label(label)
    assert caught.value.code == "STRUCTURE_LABEL"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a\\b"},
        {"name": "a\nb"},
        {"name": " a"},
        {"name": ""},
        {"name": "A" * 65},
        {"colour": (0, 0)},
        {"colour": (-1, 0, 0)},
        {"interpreted_type": "TUMOUR"},
        {"minimum_island_cc": -1.0},
        {"minimum_island_cc": float("nan")},
    ],
)
def test_a_spec_is_valid_once_made(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        RoiSpec(**{"organ": "A", "name": "A", "colour": (0, 0, 0), **change})


@pytest.mark.parametrize(
    "code", [("", "SCT", "x"), ("1" * 17, "SCT", "x"), ("1", "", "x"), ("1", "SCT", "ö")]
)
def test_a_code_is_valid_once_made(code: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match=r"ASCII"):
        CodedConcept(*code)
