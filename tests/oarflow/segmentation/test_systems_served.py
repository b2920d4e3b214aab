"""Systems of several networks: regions from organs, sides, coarse views fused, an MR beside the CT.

Every place is derived by hand from the balls' centres and radius.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oarflow.errors import ConfigurationError
from oarflow.flags.codes import FlagCode, Scope
from oarflow.flags.flag import Flag
from oarflow.networks.backend import TorchScriptNetwork
from oarflow.networks.card import Channel, InputRegion, Role
from oarflow.networks.store import ModelStore
from oarflow.segmentation.localizer import localize
from oarflow.segmentation.mr import NO_MR, RegisteredMr, mr_flags
from oarflow.segmentation.rigid import Registration, Rigid
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Localization, Segmentation, Status
from oarflow.volume import Volume
from tests.oarflow.chain import sphere_volume
from tests.oarflow.systems import (
    WINDOW,
    BySide,
    Everywhere,
    Near,
    write_coarse_stage,
    write_model,
)

LEFT, RIGHT = (40.0, 5.0, 0.0), (-42.0, 3.0, 4.0)
RADIUS = 12.0
GLANDS = ("Parotid_L", "Parotid_R")
RAMI = ("Mandible_Ramus_L", "Mandible_Ramus_R")
CT, SIDE = Channel(window=WINDOW), Channel(source="side")
NOWHERE: dict[str, Localization] = {}


@pytest.fixture(scope="module")
def volume() -> Volume:
    return sphere_volume({"Parotid_L": LEFT, "Parotid_R": RIGHT}, RADIUS)


def box_lps(volume: Volume, result: Segmentation) -> np.ndarray:
    """(2, 3) outer edges of a contour in patient space, (x, y, z)."""
    assert result.field is not None
    inside = np.argwhere(result.field.mask) + result.field.offset
    ends = volume.grid.index_to_patient([inside.min(axis=0), inside.max(axis=0)])
    half = np.array(volume.grid.spacing_zyx)[::-1] / 2
    return np.asarray(ends + np.array([-half, half]))


def two_steps(folder: Path) -> ModelStore:
    """A gland of the side that is an input, then all that lies within 17 mm of its contour."""
    write_model(folder / "gland", BySide(), organs=GLANDS, channels=(CT, SIDE))
    about = InputRegion(source="organ", organ="Parotid_L", grow_mm=17.0)
    write_model(folder / "near", Everywhere(), organs=RAMI, channels=(CT, SIDE), region_from=about)
    return ModelStore.open(folder, device="cpu")


def test_the_region_is_the_other_organ_s_box_grown_on_all_sides(
    volume: Volume, tmp_path: Path
) -> None:
    segmenter = Segmenter(volume, NOWHERE, two_steps(tmp_path / "m"))
    for organ, centre in zip(RAMI, (LEFT, RIGHT), strict=True):
        result = segmenter.segment(organ)
        reach = RADIUS + 17.0
        expected = np.array([np.subtract(centre, reach), np.add(centre, reach)])
        assert box_lps(volume, result) == pytest.approx(expected, abs=2.0)
        assert result.notes == (f"contoured within 17 mm of Parotid_{organ[-1]}'s box only",)


def test_the_side_is_an_input(volume: Volume, tmp_path: Path) -> None:
    segmenter = Segmenter(volume, NOWHERE, two_steps(tmp_path / "m"))
    for organ, centre in zip(GLANDS, (LEFT, RIGHT), strict=True):
        middle = box_lps(volume, segmenter.segment(organ)).mean(axis=0)
        assert middle == pytest.approx(centre, abs=1.0)


def test_without_its_source_an_organ_has_a_status_and_a_reason(tmp_path: Path) -> None:
    only_left = sphere_volume({"Parotid_L": LEFT}, RADIUS)
    segmenter = Segmenter(only_left, NOWHERE, two_steps(tmp_path / "m"))
    result = segmenter.segment("Mandible_Ramus_R")
    assert result.status is Status.ABSENT
    expected = Flag.of(
        FlagCode.REGION_ORGAN_MISSING,
        organ="Parotid_R",
        status="absent",
        codes=[FlagCode.NOT_IN_REGION],
    )
    assert result.flags == (expected,)
    assert segmenter.segment("Mandible_Ramus_L").status is Status.SEGMENTED


def test_organs_that_wait_for_each_other_are_a_wrong_set_up(tmp_path: Path) -> None:
    for organ, other in (("Parotid_L", "Parotid_R"), ("Parotid_R", "Parotid_L")):
        about = InputRegion(source="organ", organ=other)
        write_model(tmp_path / organ, Everywhere(), organs=(organ,), region_from=about)
    with pytest.raises(ConfigurationError, match="depends on itself"):
        ModelStore.open(tmp_path, device="cpu")


def test_a_network_of_several_organs_runs_once(
    volume: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "both", Near((100.0, -100.0)), organs=GLANDS)
    runs: list[int] = []
    real = TorchScriptNetwork.probabilities
    monkeypatch.setattr(
        TorchScriptNetwork,
        "probabilities",
        lambda self, *inputs: (runs.append(1), real(self, *inputs))[1],
    )
    segmenter = Segmenter(volume, NOWHERE, ModelStore.open(tmp_path, device="cpu"))
    for organ, centre in zip(GLANDS, (LEFT, RIGHT), strict=True):
        middle = box_lps(volume, segmenter.segment(organ)).mean(axis=0)
        assert middle == pytest.approx(centre, abs=1.0)
    assert len(runs) == 1


def test_tiles_give_what_the_whole_volume_gives(volume: Volume, tmp_path: Path) -> None:
    write_model(tmp_path / "whole" / "m", Near((100.0,)), organs=("Parotid_L",))
    tile = (48.0, 48.0, 48.0)
    write_model(tmp_path / "tiles" / "m", Near((100.0,)), organs=("Parotid_L",), patch_mm=tile)
    whole, tiles = (
        Segmenter(volume, NOWHERE, ModelStore.open(tmp_path / name, device="cpu")).segment(
            "Parotid_L"
        )
        for name in ("whole", "tiles")
    )
    assert whole.field is not None
    assert tiles.field is not None
    assert whole.field.offset == tiles.field.offset
    assert np.array_equal(whole.field.mask, tiles.field.mask)


def test_fused_views_place_the_organs_as_a_hand_made_map_does(
    volume: Volume, tmp_path: Path
) -> None:
    write_coarse_stage(tmp_path, GLANDS, (100.0, -100.0))
    found = localize(volume, ModelStore.open(tmp_path, device="cpu"))
    for organ, centre in zip(GLANDS, (LEFT, RIGHT), strict=True):
        assert found[organ].centroid_lps == pytest.approx(centre, abs=2.0)
        assert found[organ].extent_mm == pytest.approx((2 * RADIUS,) * 3, abs=5.0)


def test_a_fusion_without_its_views_is_a_wrong_set_up(tmp_path: Path) -> None:
    write_coarse_stage(tmp_path, GLANDS, (100.0, -100.0))
    for path in (tmp_path / "view_coronal").iterdir():
        path.unlink()
    (tmp_path / "view_coronal").rmdir()
    with pytest.raises(ConfigurationError, match="of coronal planes"):
        ModelStore.open(tmp_path, device="cpu")


def mr_models(folder: Path, *, alone: bool) -> ModelStore:
    """A network that sees the MR only; alone: none beside it that makes do with the CT."""
    channels = (CT, Channel(source="mr", window=(0.0, 1000.0)))
    write_model(folder / "mr", Near((300.0,), channel=1), organs=("Parotid_L",), channels=channels)
    if not alone:
        write_model(folder / "ct", Near((100.0,)), organs=("Parotid_L",))
    return ModelStore.open(folder, device="cpu")


def test_a_network_that_reads_the_mr_contours_what_only_the_mr_shows(
    volume: Volume, tmp_path: Path
) -> None:
    mr = np.zeros_like(volume.hu)
    mr[10:20, 40:60, 30:50] = 800.0  # -1 to 1 of 0 to 1000 is 0.6: 300 in the network's units
    result = Segmenter(volume, NOWHERE, mr_models(tmp_path, alone=False), RegisteredMr(mr)).segment(
        "Parotid_L"
    )
    assert result.model is not None
    assert result.model.name == "test/mr"
    first, last = volume.grid.index_to_patient([[10, 40, 30], [19, 59, 49]])
    assert box_lps(volume, result).mean(axis=0) == pytest.approx((first + last) / 2, abs=1.0)


def test_a_rejected_mr_leaves_the_ct_s_contour_and_a_note(volume: Volume, tmp_path: Path) -> None:
    store = mr_models(tmp_path, alone=False)
    rejected = Segmenter(volume, NOWHERE, store, RegisteredMr(None, "it failed its check"))
    result = rejected.segment("Parotid_L")
    assert (result.status, result.flags) == (Status.SEGMENTED, ())
    assert "contoured on the CT alone, without the MR" in result.notes
    assert box_lps(volume, result).mean(axis=0) == pytest.approx(LEFT, abs=1.0)
    without = Segmenter(volume, NOWHERE, store).segment("Parotid_L")
    assert (without.status, without.flags, without.notes) == (Status.SEGMENTED, (), ())


def test_an_mr_that_was_not_used_is_a_flag_of_the_study(tmp_path: Path) -> None:
    store = mr_models(tmp_path, alone=False)
    organs = ("Parotid_L", "Brainstem")
    (flag,) = mr_flags(RegisteredMr(None, "2 MR series fit the rule"), organs, store)
    assert (flag.code, flag.scope) == (FlagCode.MR_NOT_USED, Scope.STUDY)
    assert flag.message == "MR was not used: 2 MR series fit the rule."
    assert flag.values["organs"] == ["Parotid_L"]
    assert not list(mr_flags(RegisteredMr(None, "2 MR series fit the rule"), organs[1:], store))
    assert not list(mr_flags(NO_MR, organs, store))


def test_a_failed_registration_is_told_with_what_its_check_measured(tmp_path: Path) -> None:
    store = mr_models(tmp_path, alone=False)
    turned = Rigid(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.zeros(3))
    found = Registration(turned, 0.4, 0.1, 0.8, 0.95, 12.0)
    mr = RegisteredMr(None, found.trouble, found.measures)
    (flag,) = mr_flags(mr, ("Parotid_L",), store)
    assert flag.code is FlagCode.MR_NOT_REGISTERED
    assert flag.message == (
        "MR was not used, its registration to the CT failed: the MR would have to be turned "
        "by 90 degrees."
    )
    assert flag.values["rotation_degrees"] == 90.0
    assert flag.values["body_dice"] == 0.95


def test_without_an_mr_its_own_network_fails_with_the_reason(
    volume: Volume, tmp_path: Path
) -> None:
    result = Segmenter(volume, NOWHERE, mr_models(tmp_path, alone=True)).segment("Parotid_L")
    expected = Flag.of(FlagCode.NEEDS_MR, reason="none was given")
    assert (result.status, result.flags) == (Status.FAILED, (expected,))


def test_roles_are_told_from_the_cards(tmp_path: Path) -> None:
    write_coarse_stage(tmp_path, GLANDS, (100.0, -100.0))
    store = ModelStore.open(tmp_path, device="cpu")
    assert store.fusion is not None
    assert store.fusion.card.role is Role.FUSION
    assert len(store.views) == 3
