"""The catalogue against the papers' lists, DICOM's code dictionary and the data sets' names."""

from __future__ import annotations

import colorsys
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.sr._concepts_dict import concepts
from skimage.color import rgb2lab

from oarflow.organs import Catalogue, CatalogueError, load_catalogue, normalised

ROOT = Path(__file__).resolve().parents[2]

# SLICE, "All the 41 OARs and their slice(s) size are", with table 1's spelling of the names.
SLICE_64 = ["Arytenoid", "Left Carotid", "Right Carotid", "Cricopharyngeus"]
SLICE_128 = [
    *SLICE_64,
    "Glottis",
    "Buccal Mucosa",
    "Left Cochlea",
    "Right Cochlea",
    "Esophagus",
    "Larynx",
    "Lips",
    "Optic Chiasm",
    "Left Optic Nerve",
    "Right Optic Nerve",
    "Pituitary",
    "Trachea",
    "Left Eye",
    "Right Eye",
    "Left Eye Posterior",
    "Right Eye Posterior",
    "Left Lens",
    "Right Lens",
    "Left Gland Lacrimal",
    "Right Gland Lacrimal",
    "Left Submandibular Gland",
    "Right Submandibular Gland",
    "Thyroid Gland",
    "Muscle Constrictor",
]
SLICE_256 = [
    "Bone Mandible",
    "Brain",
    "Brainstem",
    "Cavity Oral",
    "Left Lung",
    "Right Lung",
    "Lungs",
    "Spinal Canal",
    "Spinal Cord",
    "Left Parotid",
    "Right Parotid",
    "Left Brachial Plexus",
    "Right Brachial Plexus",
]
# SLICE, table 2; every other organ has ResNet34.
SERESNET34 = {
    "Arytenoid",
    "Left Cochlea",
    "Left Gland Lacrimal",
    "Right Gland Lacrimal",
    "Left Submandibular Gland",
    "Thyroid Gland",
    "Larynx",
    "Lips",
    "Right Lung",
    "Lungs",
    "Optic Chiasm",
    "Right Parotid",
    "Pituitary",
    "Spinal Canal",
    "Spinal Cord",
}
RESNEXT50 = {"Buccal Mucosa", "Left Lens", "Left Optic Nerve", "Right Optic Nerve"}

HANSEG_FILES = [
    "A_Carotid_L",
    "A_Carotid_R",
    "Arytenoid",
    "Bone_Mandible",
    "Brainstem",
    "BuccalMucosa",
    "Cavity_Oral",
    "Cochlea_L",
    "Cochlea_R",
    "Cricopharyngeus",
    "Esophagus_S",
    "Eye_AL",
    "Eye_AR",
    "Eye_PL",
    "Eye_PR",
    "Glnd_Lacrimal_L",
    "Glnd_Lacrimal_R",
    "Glnd_Submand_L",
    "Glnd_Submand_R",
    "Glnd_Thyroid",
    "Glottis",
    "Larynx_SG",
    "Lips",
    "OpticChiasm",
    "OpticNrv_L",
    "OpticNrv_R",
    "Parotid_L",
    "Parotid_R",
    "Pituitary",
    "SpinalCord",
]

DATA_SET_NAMES = {
    "RightParotid": "Parotid_R",
    "LeftParotid": "Parotid_L",
    "Mandible": "Bone_Mandible",
    "Brainstem": "Brainstem",
    "SpinalCord": "SpinalCord",
    "Esophagus": "Esophagus",
    "Larynx": "Larynx",
    "Brain": "Brain",
    "Cochlea-Lt": "Cochlea_L",
    "Cochlea-Rt": "Cochlea_R",
    "Lacrimal-Lt": "Glnd_Lacrimal_L",
    "Lacrimal-Rt": "Glnd_Lacrimal_R",
    "Lens-Lt": "Lens_L",
    "Lens-Rt": "Lens_R",
    "Lung-Lt": "Lung_L",
    "Lung-Rt": "Lung_R",
    "Optic-Nerve-Lt": "OpticNrv_L",
    "Optic-Nerve-Rt": "OpticNrv_R",
    "Orbit-Lt": "Eye_L",
    "Orbit-Rt": "Eye_R",
    "Parotid-Lt": "Parotid_L",
    "Parotid-Rt": "Parotid_R",
    "Spinal-Canal": "SpinalCanal",
    "Spinal-Cord": "SpinalCord",
    "Submandibular-Lt": "Glnd_Submand_L",
    "Submandibular-Rt": "Glnd_Submand_R",
    "L PAROTID": "Parotid_L",
    "Rt. Optic Nerve": "OpticNrv_R",
    "brain stem": "Brainstem",
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def entry(**changes: Any) -> dict[str, Any]:
    organ = {
        "name": "Lips",
        "laterality": "midline",
        "sources": {"SLICE": "Lips"},
        "patch_mm": [125.0],
        "backbone": None,
        "colour": [1, 2, 3],
        "code": None,
        "volume_cc": [1, 2],
        "volume_source": "estimate",
        "minimum_island_cc": 0.1,
    }
    return {**organ, **changes}


def write(folder: Path, *entries: Any, head: str = "organs") -> Path:
    file = folder / "organs.yaml"
    file.write_text(json.dumps({head: list(entries)}))  # YAML too, and without aliases
    return file


def by_paper(catalogue: Catalogue, paper: Any) -> dict[str, str]:
    return {organ.sources[paper]: organ.name for organ in catalogue if paper in organ.sources}


def test_all_organs_of_slice_with_their_patches(catalogue: Catalogue) -> None:
    expected: dict[str, list[float]] = {}
    for extent, names in ((62.5, SLICE_64), (125.0, SLICE_128), (250.0, SLICE_256)):
        for name in names:
            expected.setdefault(name, []).append(extent)
    found = {
        organ.sources["SLICE"]: list(organ.patch_mm)
        for organ in catalogue
        if "SLICE" in organ.sources
    }
    assert len(expected) == 41
    assert found == expected


def test_backbones_are_those_of_slice_table_2(catalogue: Catalogue) -> None:
    counts = {"resnet34": 0, "seresnet34": 0, "resnext50": 0}
    for organ in catalogue:
        name = organ.sources.get("SLICE")
        if name is None:
            assert organ.backbone is None
            continue
        expected = "seresnet34" if name in SERESNET34 else "resnet34"
        expected = "resnext50" if name in RESNEXT50 else expected
        assert organ.backbone == expected
        counts[expected] += 1
    assert counts == {"resnet34": 22, "seresnet34": 15, "resnext50": 4}


def test_hanseg_has_30_and_twostep_6(catalogue: Catalogue) -> None:
    assert len(by_paper(catalogue, "HANSEG")) == 30
    assert set(by_paper(catalogue, "TWOSTEP")) == {
        "Auricula",
        "Condyle process",
        "Skin",
        "Mastoid process",
        "External auditory canal",
        "Mandibular ramus",
    }


@pytest.mark.parametrize("name", HANSEG_FILES)
def test_hanseg_file_names_resolve_to_hanseg_organs(catalogue: Catalogue, name: str) -> None:
    organ = catalogue.resolve(f"OAR_{name}")
    assert organ is not None
    assert organ is catalogue.resolve(name)
    assert organ.name == name
    assert "HANSEG" in organ.sources


@pytest.mark.parametrize(("alias", "name"), DATA_SET_NAMES.items())
def test_data_set_names_resolve(catalogue: Catalogue, alias: str, name: str) -> None:
    organ = catalogue.resolve(alias)
    assert organ is not None
    assert organ.name == name


def test_names_suit_planning_systems(catalogue: Catalogue) -> None:
    names = [organ.name for organ in catalogue]
    assert len({name.lower() for name in names}) == len(names)
    assert all(name.isascii() and len(name) <= 16 for name in names)


def test_pairs_are_symmetric_and_of_two_sides(catalogue: Catalogue) -> None:
    for organ in catalogue:
        assert (organ.partner is not None) == (organ.name[-1] in "LR" and organ.laterality in "LR")
        if organ.partner:
            partner = catalogue.organ(organ.partner)
            assert partner.partner == organ.name
            assert organ.name[:-1] == partner.name[:-1]
            assert organ.laterality == organ.name[-1]
            assert (organ.code, organ.patch_mm) == (partner.code, partner.patch_mm)


def test_a_name_without_a_side_means_no_side(catalogue: Catalogue) -> None:
    for organ in catalogue:
        for stem in organ.stems:
            assert catalogue.resolve(stem) is None


@pytest.mark.parametrize(
    "doubtful",
    [
        *("{}?", "?{}", "{} (?)", "({})", "~{}", "{}~", "_{}", "{}_", "-{}", "{}-", "*{}", "{}!"),
        *("{}+", "{}^", "{} #", "[{}]", "{} \u2717", "{}\u00b2", "{}/R", "{} L/R", "{}+3mm"),
        *("{} old", "x{}", "z{}", "{} x", "{} do not use", "test {}", "{}_copy", "{}PRV"),
        *("opt{}", "opt {}", "{}_opt", "{}2", "{} 1", "{}_03", "{}_new", "{} ring", "{}-PTV"),
    ],
)
def test_a_doubtful_name_means_no_organ(catalogue: Catalogue, doubtful: str) -> None:
    for organ in catalogue:
        for name in organ.names:
            assert catalogue.resolve(name) is organ
            assert catalogue.resolve(doubtful.format(name)) is None, name


def test_a_doubtful_name_is_a_question(catalogue: Catalogue) -> None:
    near = catalogue.nearest("OPTIC NERVE L?")
    assert near is not None
    assert near.name == "OpticNrv_L"
    with pytest.raises(KeyError, match="did you mean OpticNrv_L"):
        catalogue.organ("OPTIC NERVE L?")


@pytest.mark.parametrize("name", ["Eye-Lens_L", "Eye - Lens L", "Eye/Lens L", "Eye + Lens L"])
def test_two_organs_joined_are_none_of_both(catalogue: Catalogue, name: str) -> None:
    assert catalogue.resolve("Eye_Lens_L") is not None
    assert catalogue.resolve(name) is None


@pytest.mark.parametrize(
    ("name", "organ"),
    [
        ("OPTIC NERVE L", "OpticNrv_L"),
        ("(L) Parotid", "Parotid_L"),
        ("Parotid (L)", "Parotid_L"),
        ("Parotid, L", "Parotid_L"),
        ("Lt. Parotid", "Parotid_L"),
        ("ParotidL", "Parotid_L"),
        ("Spinal-Cord", "SpinalCord"),
        ("N. opticus L", "OpticNrv_L"),
        (" brain  stem ", "Brainstem"),
    ],
)
def test_separators_make_no_doubt(catalogue: Catalogue, name: str, organ: str) -> None:
    assert catalogue.organ(organ) is catalogue.resolve(name)


def test_no_name_of_one_side_says_the_other(catalogue: Catalogue) -> None:
    wrong = {"L": {"r", "rt", "right"}, "R": {"l", "lt", "left"}}
    for organ in catalogue:
        if organ.laterality in ("L", "R"):
            for name in organ.names:
                words = name.replace("_", " ").replace("(", " ").lower().split()
                assert not wrong[organ.laterality] & set(words), name


def test_codes_stand_in_dicoms_dictionary_or_are_sound(catalogue: Catalogue) -> None:
    meanings: dict[str, set[str]] = {}
    for codes in concepts["SCT"].values():
        for value, (meaning, _) in codes.items():
            meanings.setdefault(value, set()).add(meaning)
    for organ in catalogue:
        for code in (organ.code, organ.laterality_code):
            if code is None:
                continue
            assert verhoeff(code.value) == 0, code
            if code.source == "dicom":
                assert code.meaning in meanings[code.value]
            else:
                assert code.value not in meanings, "DICOM's own meaning goes first"


def test_colours_can_be_told_apart(catalogue: Catalogue) -> None:
    colours = {organ.name: organ.colour for organ in catalogue}
    lab = dict(zip(colours, rgb2lab(np.array([list(colours.values())]) / 255.0)[0], strict=True))
    for one, other in itertools.combinations(lab, 2):
        assert np.linalg.norm(lab[one] - lab[other]) > 10, (one, other)


def test_left_and_right_share_a_hue_and_differ_in_lightness(catalogue: Catalogue) -> None:
    for organ in catalogue:
        if organ.laterality == "L" and organ.partner:
            left, right = organ.colour, catalogue.organ(organ.partner).colour
            hues = [colorsys.rgb_to_hls(*(part / 255 for part in c))[0] for c in (left, right)]
            turn = abs(hues[0] - hues[1])
            assert min(turn, 1 - turn) < 45 / 360, organ.name
            assert rgb2lab(np.array(left) / 255.0)[0] > rgb2lab(np.array(right) / 255.0)[0] + 15


def test_order_and_lookup(catalogue: Catalogue) -> None:
    assert [catalogue.position(organ.name) for organ in catalogue] == list(range(len(catalogue)))
    with pytest.raises(KeyError, match="did you mean Parotid_L"):
        catalogue.organ("Left Parotid")
    assert catalogue.resolve("PTV70") is None


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry(colur=[0, 0, 0])], "colur"),
        ([entry(name="A_name_of_17_char")], "name"),
        ([entry(colour=[0, 0, 256])], "colour"),
        ([entry(volume_cc=[2, 1])], "must ascend"),
        ([entry(), entry(name="LIPS")], "only in case"),
        ([entry(), entry(name="Mouth", aliases=["li-ps"])], "means both"),
        ([entry(laterality="L", partner="Nothing")], "not each other's partner"),
        ([entry(laterality="L")], "partner"),
        ([entry(part_of=["Nothing"])], "part of what is not listed"),
        (["Lips"], "organ 0"),
    ],
)
def test_a_wrong_catalogue_is_refused(tmp_path: Path, entries: list[Any], message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        load_catalogue(write(tmp_path, *entries))


def test_a_stem_that_gains_a_side_by_folding_is_refused(tmp_path: Path) -> None:
    gland = entry(sources={"TWOSTEP": "Gland"})
    left = {**gland, "name": "Gland_L", "laterality": "L", "partner": "Gland_R"}
    left["stems"] = ["Submandibular"]
    right = {**gland, "name": "Gland_R", "laterality": "R", "partner": "Gland_L"}
    right["stems"] = ["Submandibula"]
    with pytest.raises(CatalogueError, match="names no side"):
        load_catalogue(write(tmp_path, left, right))


def test_unknown_keys_at_the_top_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="one key"):
        load_catalogue(write(tmp_path, entry(), head="organ"))


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    file = tmp_path / "organs.yaml"
    file.write_text("organs: !!python/object/apply:os.getcwd []")
    with pytest.raises(CatalogueError, match="cannot be read"):
        load_catalogue(file)


def test_a_models_folder_with_a_catalogue_wins(tmp_path: Path) -> None:
    assert len(load_catalogue(tmp_path)) == len(load_catalogue())
    write(tmp_path, entry())
    assert load_catalogue(tmp_path).names == ("Lips",)


def test_folding_of_names() -> None:
    assert normalised(" Optic-Nrv_(L) ") == "opticnrvl"


def verhoeff(number: str) -> int:
    """Check sum of a SNOMED CT identifier, in the dihedral group of order ten: 0 where sound."""

    def multiply(a: int, b: int) -> int:
        rotated = (a + b) % 5 if a < 5 else (a - b) % 5
        return rotated + (5 if (a < 5) != (b < 5) else 0)

    def permuted(digit: int, times: int) -> int:
        for _ in range(times):
            digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
        return digit

    check = 0
    for place, digit in enumerate(reversed(number)):
        check = multiply(check, permuted(int(digit), place % 8))
    return check


def test_the_models_of_another_package_are_not_ours(tmp_path: Path) -> None:
    """Installed, the catalogue comes from the package, whatever lies beside it."""
    beside = tmp_path / "site-packages"
    package = beside / "oarflow"
    package.mkdir(parents=True)
    for file in (ROOT / "oarflow").glob("*.py"):
        shutil.copy(file, package)
    for folder, text in ((beside, "organs: []"), (package / "data", "organs: [] # ours")):
        (folder / "models").mkdir(parents=True)
        (folder / "models" / "organs.yaml").write_text(text, encoding="utf-8")
    script = "from oarflow.organs import catalogue_path; print(catalogue_path())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(beside)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == package / "data" / "models" / "organs.yaml"
