"""Configurations by name, by table and by path."""

from __future__ import annotations

import pytest

from oarflow.training.configuration import read_configuration, shipped_configurations


def test_every_shipped_configuration_of_the_three_systems_is_valid() -> None:
    names = {name: organs for name, _, organs in shipped_configurations()}
    for name in ("c2f_axial", "c2f_coronal", "c2f_sagittal", "twostep_gland", "twostep_organs"):
        assert read_configuration(name).name == name
    for organ in names["c2f_fine"]:
        assert read_configuration(f"c2f_fine/{organ}").dimensions == 3
    assert names["twostep_each"] == names["c2f_fine"]
    hanseg = read_configuration("hanseg")
    assert (len(hanseg.organs), hanseg.in_channels) == (30, 2)


def test_a_wrong_key_in_a_configuration_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "mine.yaml"
    path.write_text("name: x\nwidht: 3\n")
    with pytest.raises(ValueError, match=r"mine\.yaml: "):
        read_configuration(str(path))
    with pytest.raises(ValueError, match="no configuration 'Thyroid_X'"):
        read_configuration("Thyroid_X")


def test_tables_take_any_organ_of_the_catalogue() -> None:
    known, other = (read_configuration(f"c2f_fine/{o}") for o in ("Larynx", "OpticChiasm"))
    assert (other.name, other.organs) == ("OpticChiasm", ("OpticChiasm",))
    assert other.model_copy(update={"name": "Larynx", "organs": ("Larynx",)}) == known
    with pytest.raises(ValueError, match="no configuration 'slice_paper/Mandible_Ramus_L'"):
        read_configuration("slice_paper/Mandible_Ramus_L")


@pytest.mark.parametrize("organ", ["Brainstem", "Parotid_R", "Bone_Mandible", "localizer_axial"])
def test_shipped_configurations_are_valid(organ: str) -> None:
    assert read_configuration(organ).name == organ
