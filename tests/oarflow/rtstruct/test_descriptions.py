"""A region names origin and licence of a network that OARflow does not ship."""

from __future__ import annotations

import pytest

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.rtstruct.descriptions import MAX_DESCRIPTION_LENGTH, roi_description
from oarflow.structures import Commercial, ModelIdentity, NetworkOrigin, Segmentation, Status


def described(source: NetworkOrigin | None, *flags: Flag) -> str:
    model = ModelIdentity("n", "1", "0" * 64, source=source)
    item = Segmentation("Eye_L", Status.SEGMENTED, model=model, flags=flags)
    return roi_description(item, (), contoured=True)


@pytest.mark.parametrize(
    ("commercial", "end"), [("yes", ""), ("unknown", ""), ("no", "; no commercial use")]
)
def test_origin_and_licence_of_other_networks(commercial: Commercial, end: str) -> None:
    source = NetworkOrigin("CADS 558", "CC BY-NC-SA 4.0", commercial)
    said = described(source)
    assert said == f"segmented; network: CADS 558; licence: CC BY-NC-SA 4.0{end}"


def test_shipped_networks_and_networks_without_a_source_add_nothing() -> None:
    assert described(NetworkOrigin("OARflow", "Apache-2.0", "yes", shipped=True)) == "segmented"
    assert described(None) == "segmented"


def test_long_and_strange_texts_of_a_card_are_cut_and_made_ascii() -> None:
    said = described(NetworkOrigin("x" * 5000, "\\\n\u202eé" * 5000))
    assert len(said) < 200
    assert said.isascii()
    assert "\\" not in said
    assert "\n" not in said


def test_flags_come_before_the_network() -> None:
    """So that DICOM's limit cuts the network first."""
    flag = Flag.of(FlagCode.REGION_ORGAN_MISSING, organ="y" * 60, status="absent", codes=())
    said = described(NetworkOrigin("x" * 64, "z" * 64), *[flag] * 9)
    assert len(said) <= MAX_DESCRIPTION_LENGTH
    assert said.count(flag.short) == 9
    assert said.rindex(flag.short) < said.index("network: ")
