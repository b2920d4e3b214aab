"""External on patients whose outline is known: devices, positions, masks, fields of view."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from oarflow.flags.codes import FlagCode
from oarflow.rules.external import external
from oarflow.rules.rule import NotOutlined, Outlined, RuleInput, RuleOptions
from oarflow.structures import Side, Status
from oarflow.volume import Volume
from tests.oarflow.rules.bodies import (
    DOWN_LPS,
    as_read,
    in_devices,
    patient,
    points,
    sampled,
    shadow,
    volume_of,
)


def outlined(volume: Volume, *, fill_cavities: bool = True) -> Outlined:
    options = RuleOptions(fill_cavities=fill_cavities)
    found = external(RuleInput(volume, {}, lambda organ: None, options))["External"]
    assert isinstance(found, Outlined)
    return found


def dice(found: Outlined, truth: np.ndarray) -> float:
    mask = found.field.full_mask(truth.shape)
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


def pieces(found: Outlined) -> int:
    return int(ndimage.label(found.field.mask, np.ones((3, 3, 3)))[1])


@pytest.mark.parametrize("position", list(DOWN_LPS))
def test_the_body_without_couch_mask_and_tube(tmp_path: Path, position: str) -> None:
    volume = as_read(tmp_path, position)
    found = outlined(volume)
    truth = shadow(*points(volume))
    assert dice(found, truth) > 0.99
    beyond = found.field.full_mask(truth.shape) & ~shadow(*points(volume), grown=6.0)
    assert not beyond.any()
    assert pieces(found) == 1
    assert (found.cut, found.flags) == (frozenset(), ())


def test_a_ct_masked_to_the_body() -> None:
    def masked(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.where(shadow(x, y, z), patient(x, y, z), -1024.0)

    volume = sampled(masked)
    found = outlined(volume)
    assert dice(found, shadow(*points(volume))) > 0.99
    assert (found.cut, found.flags) == (frozenset(), ())


def test_uneven_slices() -> None:
    offsets = np.cumsum([0, *[2.0] * 14, *[3.0] * 10, *[5.0] * 14]) - 64.0
    volume = sampled(in_devices((0, 1)), offsets)
    found = outlined(volume)
    assert dice(found, shadow(*points(volume))) > 0.99
    assert found.flags == ()


def test_cavities_stay_out_where_a_setting_says_so() -> None:
    volume = sampled(patient)
    x, y, z = points(volume)
    airway = (x**2 + (y + 12) ** 2 < 6**2) & (z > 0)
    filled = outlined(volume).field.full_mask(volume.hu.shape)
    holed = outlined(volume, fill_cavities=False).field.full_mask(volume.hu.shape)
    assert filled[airway].all()
    assert not holed[airway].any()


def test_a_cavity_that_opens_to_the_air_is_filled() -> None:
    volume = sampled(patient)
    x, y, z = points(volume)
    sinus = (np.abs(x) < 4) & (y < -30) & (y > -60) & (np.abs(z - 25) < 4)
    assert volume.hu[sinus].max() < -900
    assert outlined(volume).field.full_mask(volume.hu.shape)[sinus].all()


@pytest.mark.parametrize(("shift", "side"), [(120.0, Side.RIGHT), (-120.0, Side.LEFT)])
def test_the_image_ends_within_the_body(shift: float, side: Side) -> None:
    found = outlined(sampled(patient, middle_x=shift))
    assert found.cut == {side}


def test_the_ends_of_the_scan_cut_nothing() -> None:
    volume = sampled(patient)
    body = outlined(volume).field.mask
    assert body[0].any()
    assert body[-1].any()
    assert outlined(volume).cut == frozenset()


@pytest.mark.parametrize(("radius", "cut"), [(150.0, {Side.LEFT, Side.RIGHT}), (225.0, set())])
def test_the_circle_of_reconstruction(radius: float, cut: set[Side]) -> None:
    def circled(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        noise = 5 * np.sin(3 * x + 7 * y + z)
        return np.where(np.hypot(x, y) < radius, patient(x, y, z) + 10 + noise, -1024.0)

    assert outlined(sampled(circled)).cut == cut


def test_a_padded_image_ends_where_the_padding_begins() -> None:
    def padded(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        noise = 5 * np.sin(3 * x + 7 * y + z)
        return np.where(x < 120, patient(x, y, z) + 10 + noise, -1024.0)

    assert outlined(sampled(padded)).cut == {Side.LEFT}


def test_the_surface_lies_between_pixels() -> None:
    """A cylinder whose HU fall linearly over 3 mm, with -350 HU at a radius of 40.3 mm."""
    radius = np.hypot(*np.meshgrid(np.arange(-60, 61), np.arange(-60, 61)))
    plane = np.clip(-350 - (radius - 40.3) * 1000 / 3, -1000, 0)
    found = outlined(volume_of(np.stack([plane] * 6), (3.0, 1.0, 1.0)))
    row = found.field.values[3, 60 - found.field.offset[1]]
    last = int(np.flatnonzero(row >= 0.5)[-1])
    edge = last + (row[last] - 0.5) / (row[last] - row[last + 1])
    assert edge + found.field.offset[2] - 60 == pytest.approx(40.3, abs=0.02)


def test_a_missing_shoulder_is_flagged() -> None:
    def cut(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        hidden = (np.abs(x) > 35) & (z < -62)
        return np.where(hidden, -1000.0, patient(x, y, z))

    found = outlined(sampled(cut))
    assert [flag.code for flag in found.flags] == [FlagCode.AREA_JUMP]


def test_a_body_in_two_halves_is_flagged() -> None:
    def cut(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.where((np.abs(z + 10) < 8), -1000.0, patient(x, y, z))

    found = outlined(sampled(cut))
    assert FlagCode.PARTS_LEFT_OUT in [flag.code for flag in found.flags]


def test_a_body_among_solid_bars_is_flagged() -> None:
    """Bars of 2 mm stand on the skin like the teeth of a comb."""

    def combed(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        bars = (np.mod(x, 8) < 2) & (np.abs(y) < 120) & ~shadow(x, y, z)
        return np.where(bars, 100.0, patient(x, y, z))

    found = outlined(sampled(combed))
    assert [flag.code for flag in found.flags] == [FlagCode.DEVICE_TOUCHED]


def test_air_alone_is_no_body() -> None:
    air = np.full((12, 64, 64), -1000.0)
    found = external(RuleInput(volume_of(air, (3.0, 4.0, 4.0)), {}, lambda organ: None))
    assert isinstance(found["External"], NotOutlined)
    assert found["External"].status is Status.FAILED
