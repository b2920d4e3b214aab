"""Localizer, patch, network and pasting, on spheres whose place and size are known."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from oarflow.flags.codes import FlagCode
from oarflow.flags.flag import Flag
from oarflow.networks.card import Role, read_card, write_card
from oarflow.networks.store import ModelStore
from oarflow.segmentation.localizer import localize
from oarflow.segmentation.segmenter import Segmenter
from oarflow.structures import Side, Status
from oarflow.volume import Volume
from tests.oarflow.chain import Brightness, save_model, save_models, sphere_volume

LEFT = (40.0, 5.0, 0.0)
RIGHT = (-42.0, 3.0, 4.0)
RADIUS = 12.0
SPHERE_CC = 4 / 3 * np.pi * RADIUS**3 / 1000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    return ModelStore.open(save_models(tmp_path_factory.mktemp("m") / "models"), device="cpu")


@pytest.fixture(scope="module")
def volume() -> Volume:
    return sphere_volume({"Parotid_L": LEFT, "Parotid_R": RIGHT}, RADIUS)


def test_the_localizer_places_each_organ_in_patient_space(
    volume: Volume, store: ModelStore
) -> None:
    found = localize(volume, store)
    for organ, centre in (("Parotid_L", LEFT), ("Parotid_R", RIGHT)):
        localization = found[organ]
        assert localization.present
        assert localization.centroid_lps == pytest.approx(centre, abs=2.5)
        assert localization.extent_mm is not None
        assert localization.extent_mm == pytest.approx((2 * RADIUS,) * 3, abs=6.0)
        assert localization.slices is not None
        first, last = localization.slices
        assert volume.grid.positions_lps[first, 2] == pytest.approx(centre[2] - RADIUS, abs=5)
        assert volume.grid.positions_lps[last, 2] == pytest.approx(centre[2] + RADIUS, abs=5)
        assert localization.cut == frozenset()


def test_the_contour_lies_where_the_sphere_is(volume: Volume, store: ModelStore) -> None:
    found = localize(volume, store)
    for organ, centre in (("Parotid_L", LEFT), ("Parotid_R", RIGHT)):
        result = Segmenter(volume, found, store).segment(organ)
        assert result.status is Status.SEGMENTED
        assert result.flags == ()
        assert result.volume_cc == pytest.approx(SPHERE_CC, rel=0.12)
        assert result.field is not None
        inside = np.argwhere(result.field.mask) + result.field.offset
        points = volume.grid.index_to_patient(inside)
        assert points.mean(axis=0) == pytest.approx(centre, abs=0.5)
        assert result.model is not None
        assert result.model.name == f"test/{organ}"


def test_a_clip_on_the_couch_is_no_organ(store: ModelStore) -> None:
    """Larger and just as bright as the organ, but in the air beside the body."""
    only_left = sphere_volume({"Parotid_L": LEFT}, RADIUS)
    x = np.arange(160) - 80.0
    y = np.arange(128)[:, None] - 64.0
    clip = np.hypot(x + 60.0, y - 45.0) < 14.0
    only_left.hu[:, np.hypot(x - 25.0, y) > 50.0] = -1000.0
    only_left.hu[10:40, clip] = 100.0
    centroid = localize(only_left, store)["Parotid_L"].centroid_lps
    assert centroid == pytest.approx(LEFT, abs=2.5)


def test_an_organ_that_is_not_there_is_absent(store: ModelStore) -> None:
    only_left = sphere_volume({"Parotid_L": LEFT}, RADIUS)
    found = localize(only_left, store)
    assert Segmenter(only_left, found, store).segment("Parotid_R").status is Status.ABSENT
    assert Segmenter(only_left, found, store).segment("Parotid_L").status is Status.SEGMENTED


def test_an_organ_without_a_network_has_no_model(volume: Volume, store: ModelStore) -> None:
    result = Segmenter(volume, localize(volume, store), store).segment("Brain")
    assert result.status is Status.NO_MODEL


def test_an_organ_at_the_scan_s_end_is_truncated(store: ModelStore) -> None:
    low = sphere_volume({"Parotid_L": (40.0, 5.0, -58.0)}, RADIUS)
    found = localize(low, store)
    assert Side.INFERIOR in found["Parotid_L"].cut
    result = Segmenter(low, found, store).segment("Parotid_L")
    assert result.status is Status.TRUNCATED
    assert result.flags == (Flag.of(FlagCode.FIELD_OF_VIEW, sides=["inferior"]),)


def test_a_patch_that_is_too_small_grows(tmp_path: Path) -> None:
    models = save_models(tmp_path / "models")
    store = ModelStore.open(models, device="cpu")
    wide = sphere_volume({"Parotid_L": (20.0, 0.0, 0.0)}, 45.0)
    found = localize(wide, store)
    centre = found["Parotid_L"].centroid_lps
    assert centre is not None
    small = found["Parotid_L"]
    shrunk = {"Parotid_L": type(small)(**{**vars(small), "extent_mm": (80.0, 10.0, 10.0)})}
    result = Segmenter(wide, shrunk, store).segment("Parotid_L")
    assert result.volume_cc == pytest.approx(4 / 3 * np.pi * 45**3 / 1000, rel=0.06)


def test_too_little_of_an_organ_is_absent(tmp_path: Path, volume: Volume) -> None:
    models = save_models(tmp_path / "models")
    for organ, factor in (("Parotid_L", 1.3), ("Parotid_R", 0.7)):
        path = models / organ / "model.json"
        least = {organ: SPHERE_CC * factor}
        write_card(read_card(path).model_copy(update={"least_cc": least}), path)
    store = ModelStore.open(models, device="cpu")
    found = localize(volume, store)
    small = Segmenter(volume, found, store).segment("Parotid_L")
    assert (small.status, small.field, small.volume_cc) == (Status.ABSENT, None, 0.0)
    assert [flag.code for flag in small.flags] == [FlagCode.TOO_SMALL]
    assert small.flags[0].values["volume_cc"] == pytest.approx(SPHERE_CC, rel=0.12)
    assert small.flags[0].values["limit_cc"] == pytest.approx(SPHERE_CC * 1.3, abs=1e-3)
    assert Segmenter(volume, found, store).segment("Parotid_R").status is Status.SEGMENTED


def test_a_deadline_in_the_past_is_a_timeout(volume: Volume, store: ModelStore) -> None:
    found = localize(volume, store)
    result = Segmenter(volume, found, store).segment("Parotid_L", deadline=time.monotonic() - 1)
    assert (result.status, result.flags) == (Status.FAILED, (Flag.of(FlagCode.ORGAN_TIME_LIMIT),))


class Broken(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.reshape(7, -1, 13)


class Blind(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, :1] * 0 - 10


class Framed(torch.nn.Module):
    """Sees the sphere in the patch's left half only: what it says hangs on where the patch lies."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = Brightness(("Parotid_L",), 1, -500.0, 500.0)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits = self.whole(image)
        seen = torch.arange(image.shape[3]) < image.shape[3] // 2
        return torch.where(seen, logits, torch.full_like(logits, -10.0))


@pytest.mark.parametrize("network", [None, Framed()])
def test_a_contour_that_hangs_on_its_patch_is_not_steady(
    tmp_path: Path, volume: Volume, network: torch.nn.Module | None
) -> None:
    """Radius 12 mm, patch moved by 3.5 voxels of 2 mm: the half seen is cut 7 mm further left."""
    models = tmp_path / "models"
    one = ("Parotid_L",)
    save_model(models / "loc", Role.LOCALIZER, one, (5.0, 5.0, 5.0), (0.0, 0.0, 0.0))
    save_model(
        models / "seg", Role.SEGMENTER, one, (0.0, 2.0, 2.0), (0.0, 64.0, 64.0), network=network
    )
    store = ModelStore.open(models, device="cpu")
    places = localize(volume, store)
    asked_once = Segmenter(volume, places, store).segment("Parotid_L").field
    assert asked_once is not None
    assert asked_once.steadiness is None
    twice = Segmenter(volume, places, store, shifts=True).segment("Parotid_L").field
    assert twice is not None
    assert twice.steadiness is not None
    assert np.array_equal(twice.values, asked_once.values)
    if network is None:
        assert twice.steadiness > 0.9
    else:
        # Half a ball, and that half with 7 mm more of it: 2 * 0.5 / (0.5 + 0.5 + 0.4) or so.
        assert 0.55 < twice.steadiness < 0.85


@pytest.mark.parametrize(
    ("network", "code"),
    [
        (Broken(), FlagCode.NETWORK_ERROR),
        (Blind(), FlagCode.NOTHING_FOUND),
    ],
)
def test_a_network_that_errs_fails_its_own_organ_only(
    tmp_path: Path, volume: Volume, network: torch.nn.Module, code: FlagCode
) -> None:
    models = save_models(tmp_path / "models")
    for path in (models / "Parotid_L").iterdir():
        path.unlink()
    (models / "Parotid_L").rmdir()
    save_model(
        models / "Parotid_L",
        Role.SEGMENTER,
        ("Parotid_L",),
        (0.0, 2.0, 2.0),
        (0.0, 64.0, 64.0),
        network=network,
    )
    store = ModelStore.open(models, device="cpu")
    found = localize(volume, store)
    failed = Segmenter(volume, found, store).segment("Parotid_L")
    assert (failed.status, failed.flags) == (Status.FAILED, (Flag.of(code),))
    assert Segmenter(volume, found, store).segment("Parotid_R").status is Status.SEGMENTED


def test_turned_and_uneven_slices_give_the_same_place(store: ModelStore) -> None:
    """A volume whose axes are turned by 8 degrees: the sphere stays where it is in the patient."""
    straight = sphere_volume({"Parotid_L": LEFT}, RADIUS)
    angle = np.deg2rad(8.0)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    grid = straight.grid
    moved = type(grid)(
        grid.positions_lps @ turn.T,
        turn @ grid.x_direction,
        turn @ grid.y_direction,
        grid.spacing_yx,
        grid.shape,
    )
    turned = Volume(straight.hu, moved, straight.source)
    result = Segmenter(turned, localize(turned, store), store).segment("Parotid_L")
    assert result.field is not None
    points = moved.index_to_patient(np.argwhere(result.field.mask) + result.field.offset)
    assert points.mean(axis=0) == pytest.approx(turn @ LEFT, abs=0.5)


def test_a_model_file_that_was_changed_is_not_loaded(tmp_path: Path) -> None:
    models = save_models(tmp_path / "models")
    network = models / "Parotid_L" / "model.ts"
    network.write_bytes(network.read_bytes() + b"x")
    with pytest.raises(Exception, match="differs from its card") as error:
        ModelStore.open(models, device="cpu")
    assert getattr(error.value, "code", None) == "MODEL_HASH"


def test_a_site_can_pin_the_hashes_it_trusts(tmp_path: Path) -> None:
    models = save_models(tmp_path / "models")
    hashes = frozenset(
        hashlib.sha256(path.read_bytes()).hexdigest() for path in models.glob("*/model.ts")
    )
    assert ModelStore.open(models, trusted=hashes, device="cpu").organs == (
        "Parotid_L",
        "Parotid_R",
    )
    pinned = hashes - {read_card(models / "Parotid_R" / "model.json").sha256}
    with pytest.raises(Exception, match="not in trusted_models"):
        ModelStore.open(models, trusted=pinned, device="cpu")


def test_two_segmenters_of_one_organ_clash(tmp_path: Path) -> None:
    models = save_models(tmp_path / "models")
    save_model(
        models / "second", Role.SEGMENTER, ("Parotid_L",), (0.0, 2.0, 2.0), (0.0, 64.0, 64.0)
    )
    with pytest.raises(Exception, match="are segmenters of Parotid_L"):
        ModelStore.open(models, device="cpu")


def test_a_card_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    models = save_models(tmp_path / "models")
    path = models / "Parotid_L" / "model.json"
    path.write_text(path.read_text().replace('"note"', '"nota"'))
    with pytest.raises(Exception, match="nota"):
        ModelStore.open(models, device="cpu")


def test_a_card_survives_its_file(tmp_path: Path) -> None:
    models = save_models(tmp_path / "models")
    card = read_card(models / "localizer" / "model.json")
    write_card(card, tmp_path / "again.json")
    assert read_card(tmp_path / "again.json") == card
