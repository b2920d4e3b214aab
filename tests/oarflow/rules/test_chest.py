"""Trachea and lungs on a chest that is known by formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oarflow.flags.codes import FlagCode
from oarflow.rules.chest import chest
from oarflow.rules.rule import NotOutlined, Outlined, RuleInput
from oarflow.structures import Side, Status
from oarflow.volume import Volume
from tests.oarflow.rules import chests
from tests.oarflow.rules.bodies import Bools, Floats, in_devices, points


@pytest.fixture(scope="module")
def volume() -> Volume:
    return chests.scanned()


def outlined(volume: Volume, organ: str, *, larynx: bool = True) -> Outlined:
    found = chest(chests.given(volume, larynx=larynx))[organ]
    assert isinstance(found, Outlined), found
    return found


def dice(found: Outlined, truth: Bools) -> float:
    mask = found.field.full_mask(truth.shape)
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


def codes(found: Outlined) -> list[FlagCode]:
    return [flag.code for flag in found.flags]


@pytest.mark.parametrize(("organ", "side"), [("Lung_L", 1), ("Lung_R", -1)])
def test_each_lung_with_its_vessels(volume: Volume, organ: str, side: int) -> None:
    found = outlined(volume, organ)
    x, y, z = points(volume)
    assert dice(found, chests.in_lung(x, y, z, side)) > 0.97
    assert not (found.field.full_mask(volume.hu.shape) & (x * side < 0)).any()
    assert found.cut == {Side.INFERIOR}
    assert found.flags == ()


def test_both_lungs_are_the_two(volume: Volume) -> None:
    left, right, both = (
        outlined(volume, organ).field.full_mask(volume.hu.shape)
        for organ in ("Lung_L", "Lung_R", "Lungs")
    )
    assert (both == (left | right)).all()
    assert not (left & right).any()


def test_the_trachea_from_the_larynx_to_the_carina(volume: Volume) -> None:
    found = outlined(volume, "Trachea")
    x, y, z = points(volume)
    known = (np.hypot(x, y + 20) < 9 + 1.8) & (z < chests.LARYNX_LOW) & (z > chests.CARINA)
    assert dice(found, known) > 0.93
    heights = z[found.field.full_mask(z.shape)]
    assert heights.max() == pytest.approx(chests.LARYNX_LOW, abs=3.1)
    assert heights.min() == pytest.approx(chests.CARINA, abs=6.1)
    assert (found.cut, found.flags) == (frozenset(), ())


def test_no_airway_in_a_lung(volume: Volume) -> None:
    both = outlined(volume, "Lungs").field.full_mask(volume.hu.shape)
    assert not (both & chests.in_lumen(*points(volume))).any()


def test_the_scan_ends_above_the_carina() -> None:
    whole = chests.scanned()
    first = int(np.flatnonzero(whole.grid.positions_lps[:, 2] > 0)[0])
    grid = replace(
        whole.grid,
        positions_lps=whole.grid.positions_lps[first:],
        shape=(whole.grid.shape[0] - first, *whole.grid.shape[1:]),
    )
    uids = whole.source.sop_instance_uids[first:]
    source = replace(whole.source, sop_instance_uids=uids)
    cut = Volume(whole.hu[first:], grid, source)
    assert outlined(cut, "Trachea").cut == {Side.INFERIOR}


def test_couch_mask_and_tube_change_nothing(volume: Volume) -> None:
    def with_devices(x: Floats, y: Floats, z: Floats) -> Floats:
        x, y, z = np.broadcast_arrays(x, y, z)
        hu = chests.chest_hu(x, y, z)
        devices = in_devices((0, 1))(x, y * 0.9, z)
        return np.where(hu > -1000, hu, np.where(y > 97, devices, -1000.0))

    changed = chests.scanned(with_devices)
    for organ in ("Trachea", "Lung_L", "Lung_R"):
        truth = outlined(volume, organ).field.full_mask(volume.hu.shape)
        assert dice(outlined(changed, organ), truth) > 0.99


def test_a_ct_masked_to_the_body(volume: Volume) -> None:
    hu = np.where(chests.in_body(*points(volume)), volume.hu, np.float32(-1024))
    for organ in ("Trachea", "Lung_L", "Lung_R"):
        truth = outlined(volume, organ).field.full_mask(volume.hu.shape)
        assert dice(outlined(replace(volume, hu=hu), organ), truth) > 0.99


def bridged(volume: Volume, half_height: float) -> Volume:
    """Both lungs joined by a bridge in front of the airway."""
    x, y, z = points(volume)
    bridge = (np.abs(x) < 40) & (np.abs(y - 20) < half_height) & (z < -30)
    return replace(volume, hu=np.where(bridge, np.float32(-820), volume.hu))


def test_lungs_that_touch_are_parted_where_they_are_thin(volume: Volume) -> None:
    changed = bridged(volume, 5.0)
    x, y, z = points(volume)
    for organ, side in (("Lung_L", 1), ("Lung_R", -1)):
        found = outlined(changed, organ)
        assert dice(found, chests.in_lung(x, y, z, side)) > 0.95
        assert found.flags == ()


def test_lungs_that_are_one_are_flagged(volume: Volume) -> None:
    x, y, z = points(volume)
    one = chests.in_body(x * 1.2, y * 1.2, z) & (z < -5)
    hu = np.where(one, np.float32(-820), volume.hu)
    assert FlagCode.LUNGS_TOUCH in codes(outlined(replace(volume, hu=hu), "Lung_L"))


def test_free_air_is_flagged(volume: Volume) -> None:
    lung = chests.in_lung(*points(volume), 1)
    hu = np.where(lung, np.float32(-1000), volume.hu)
    assert codes(outlined(replace(volume, hu=hu), "Lung_L")) == [FlagCode.FREE_AIR]


def test_lungs_without_a_larynx_are_flagged(volume: Volume) -> None:
    found = chest(chests.given(volume, larynx=False))
    assert isinstance(found["Trachea"], NotOutlined)
    assert found["Trachea"].status is Status.ABSENT
    assert codes(outlined(volume, "Lung_L", larynx=False)) == [FlagCode.AIRWAY_LOST]


def test_an_airway_that_closes_is_flagged(volume: Volume) -> None:
    x, y, z = points(volume)
    hu = np.where((np.hypot(x, y + 20) < 40) & (z < 20), np.float32(40), volume.hu)
    assert codes(outlined(replace(volume, hu=hu), "Trachea")) == [FlagCode.AIRWAY_LOST]


def test_no_air_under_the_larynx_fails(volume: Volume) -> None:
    solid = replace(volume, hu=np.where(chests.in_body(*points(volume)), np.float32(40), volume.hu))
    found = chest(chests.given(solid))
    assert isinstance(found["Trachea"], NotOutlined)
    assert found["Trachea"].status is Status.FAILED
    assert isinstance(found["Lung_L"], NotOutlined)
    assert found["Lung_L"].status is Status.ABSENT


def test_gas_in_the_esophagus_is_no_lung(volume: Volume) -> None:
    x, y, z = points(volume)
    solid = np.where(chests.in_body(x, y, z), np.float32(40), volume.hu)
    solid = np.where(chests.in_lumen(x, y, z), np.float32(-995), solid)
    gas = (np.hypot((x - 5) / 2, y - 10) < 8) & (z < 0)
    found = chest(chests.given(replace(volume, hu=np.where(gas, np.float32(-900), solid))))
    assert isinstance(found["Lungs"], NotOutlined)


def test_without_external_all_fail(volume: Volume) -> None:
    found = chest(RuleInput(volume, {}, lambda organ: None))
    assert {item.status for item in found.values() if isinstance(item, NotOutlined)} == {
        Status.FAILED
    }
